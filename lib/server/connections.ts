// The connections of a server, so that it can end in order: those that do nothing are closed at once, the others when
// their answer is out. (Node's closeIdleConnections leaves those that have not asked anything yet.)
import type { Server } from 'node:http'
import type { Socket } from 'node:net'

export class Connections {
  private readonly requests = new Map<Socket, number>() // that are being answered
  private draining = false

  constructor(http: Server) {
    http.on('connection', (socket) => {
      this.requests.set(socket, 0)
      socket.once('close', () => this.requests.delete(socket))
    })
    http.on('request', ({ socket }, response) => {
      this.count(socket, 1)
      response.once('close', () => {
        this.count(socket, -1)
        if (this.draining && this.requests.get(socket) === 0) socket.end()
      })
    })
  }

  drain(): void {
    this.draining = true
    for (const [socket, requests] of this.requests) if (requests === 0) socket.destroy()
  }

  private count(socket: Socket, by: number): void {
    const requests = this.requests.get(socket)
    if (requests !== undefined) this.requests.set(socket, requests + by)
  }
}
