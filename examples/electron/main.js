// The main process: opens the window and passes what it says to the model, which runs in a process of its own. That process
// may die at any time: the window stays, the conversation is kept, and the model is started again.
const { app, BrowserWindow, ipcMain } = require('electron')
const { join } = require('node:path')
const { load } = require('kvasir/electron')
const { openHistory } = require('./history')

const MODEL = process.env.KVASIR_MODEL || 'smollm2:135m'
const NODE = process.env.KVASIR_NODE // Electron before 22 has no utilityProcess; the model then runs in this Node

let window
let model // a promise of the model
let generation // the answer under way
let status = { phase: 'loading' }

function tell(channel, value) {
  if (window && !window.isDestroyed()) window.webContents.send(channel, value)
}

function setStatus(next) {
  status = next
  tell('status', status)
}

const failed = (error) => setStatus({ phase: 'failed', message: error.message })

function start() {
  setStatus({ phase: 'loading' })
  model = load(MODEL, {
    priority: 'background', // the window comes first
    ...(NODE && { execPath: NODE }),
    onProgress: ({ done, total }) => setStatus({ phase: 'downloading', done, total }),
    onHostExit: () => {
      setStatus({ phase: 'restarting' })
      model.then((llm) => llm.memory().then(() => setStatus({ phase: 'ready', info: llm.info }), failed)) // any call brings it back
    },
  })
  model.then((llm) => setStatus({ phase: 'ready', info: llm.info }), failed)
}

async function answer(history, text) {
  history.push({ role: 'user', content: text })
  const reply = { role: 'assistant', content: '' }
  try {
    const llm = await model
    generation = llm.chat(history.forModel(), { temperature: 0.6, topP: 0.95, maxTokens: 512 })
    for await (const piece of generation) {
      reply.content += piece.text
      tell('piece', piece.text)
    }
    const { usage, timings, finishReason } = await generation
    reply.note = finishReason === 'abort' ? 'stopped' : speed(usage, timings)
  } catch (error) {
    reply.note = error.code === 'KV_HOST' ? 'interrupted: the model’s process ended' : error.message
    reply.failed = true
  } finally {
    generation = undefined
  }
  history.push(reply)
  return reply
}

function speed({ completionTokens }, { ttftMs, decodeMs }) {
  const rate = Math.round(((completionTokens - 1) / decodeMs) * 1000)
  return `${completionTokens} tokens, ${rate} a second, the first after ${Math.round(ttftMs)} ms`
}

async function memory() {
  const own = app.getAppMetrics().reduce((sum, { memory }) => sum + memory.workingSetSize * 1024, 0)
  if (status.phase !== 'ready') return { own, model: 0 }
  const { rss } = await (await model).memory()
  return { own, model: rss }
}

app.whenReady().then(() => {
  const history = openHistory(join(app.getPath('userData'), 'conversation.json'))
  ipcMain.handle('state', () => ({ status, messages: history.messages }))
  ipcMain.handle('ask', (_, text) => answer(history, String(text)))
  ipcMain.handle('stop', () => generation?.abort())
  ipcMain.handle('clear', () => history.clear())
  ipcMain.handle('retry', start)
  ipcMain.handle('memory', () => memory().catch(() => ({ own: 0, model: 0 }))) // the host may end while we ask

  window = new BrowserWindow({
    width: 880,
    height: 720,
    minWidth: 420,
    title: 'Kvasir',
    backgroundColor: '#f7f6f3',
    webPreferences: { preload: join(__dirname, 'preload.js'), contextIsolation: true, sandbox: true },
  })
  window.setMenuBarVisibility(false)
  window.loadFile('index.html')
  start()
})

app.on('window-all-closed', async () => {
  await model.then((llm) => llm.dispose()).catch(() => {}) // a model that never loaded has nothing to give back
  app.quit()
})
