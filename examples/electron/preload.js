// What the window may ask of the main process, and nothing else.
const { contextBridge, ipcRenderer } = require('electron')

const on = (channel) => (listener) => void ipcRenderer.on(channel, (_, value) => listener(value))

contextBridge.exposeInMainWorld('kvasir', {
  state: () => ipcRenderer.invoke('state'),
  ask: (text) => ipcRenderer.invoke('ask', text),
  stop: () => ipcRenderer.invoke('stop'),
  clear: () => ipcRenderer.invoke('clear'),
  retry: () => ipcRenderer.invoke('retry'),
  memory: () => ipcRenderer.invoke('memory'),
  onStatus: on('status'),
  onPiece: on('piece'),
})
