// Loads the addon in Electron's main process and in a window, prints what both found, and quits in the middle of work.
const { app, BrowserWindow, ipcMain } = require('electron')
const work = require('./work')

app.whenReady().then(async () => {
  const { leave, ...main } = await work()
  const window = new BrowserWindow({ webPreferences: { nodeIntegration: true, contextIsolation: false } })
  ipcMain.once('done', (_, renderer) => {
    console.log(`RESULT ${JSON.stringify({ electron: process.versions.electron, main, renderer })}`)
    leave()
    app.quit()
  })
  window.loadFile('index.html')
})
