// The window: shows the conversation and the state of the model. All text is set as text, never as HTML.
const element = (id) => document.getElementById(id)
const messages = element('messages')
const text = element('text')
const GiB = 2 ** 30

let phase = 'loading'
let writing // the bubble of the answer under way
let piecesOfFrame = '' // shown once a frame, however fast they come

function add({ role, content, note, failed }) {
  const article = document.createElement('article')
  article.className = role
  const body = document.createElement('p')
  body.textContent = content
  const footer = document.createElement('footer')
  footer.textContent = note || ''
  footer.className = failed ? 'failed' : ''
  article.append(body, footer)
  messages.append(article)
  return { article, body, footer }
}

function toEnd() {
  messages.scrollTop = messages.scrollHeight
}

function showStatus(status) {
  phase = status.phase
  const { done = 0, total = 0, info, message } = status
  const words = {
    loading: () => 'Loading the model…',
    downloading: () => `Downloading the model, once: ${mb(done)} of ${mb(total)} MB`,
    ready: () => `${info.name}, ${info.isa}, ${info.threads} threads`,
    restarting: () => 'The model’s process ended. Starting it again…',
    failed: () => message,
  }
  element('status').textContent = words[phase]()
  document.body.dataset.phase = phase
  const progress = element('progress')
  progress.hidden = phase !== 'downloading'
  const share = total > 0 ? done / total : 0
  progress.setAttribute('aria-valuenow', String(Math.round(100 * share)))
  progress.firstElementChild.style.transform = `scaleX(${share})`
}

const mb = (bytes) => Math.round(bytes / 1e6)

async function showMemory() {
  const { model, own } = await kvasir.memory()
  const size = (bytes) => (bytes >= GiB ? `${(bytes / GiB).toFixed(1)} GB` : `${mb(bytes)} MB`)
  element('memory').textContent = model > 0 ? `model ${size(model)}, window ${size(own)}` : ''
}

async function ask() {
  const question = text.value.trim()
  if (question === '' || writing) return
  text.value = ''
  resize()
  add({ role: 'user', content: question })
  writing = add({ role: 'assistant', content: '' })
  writing.article.classList.add('writing')
  toEnd()
  busy(true)
  const reply = await kvasir.ask(question)
  piecesOfFrame = ''
  writing.body.textContent = reply.content
  writing.footer.textContent = reply.note || ''
  writing.footer.className = reply.failed ? 'failed' : ''
  writing.article.classList.remove('writing')
  writing = undefined
  busy(false)
  toEnd()
}

function busy(on) {
  element('send').hidden = on
  element('stop').hidden = !on
  if (!on) text.focus()
}

function frame() {
  if (writing && piecesOfFrame !== '') {
    writing.body.append(piecesOfFrame)
    piecesOfFrame = ''
    toEnd()
  }
  requestAnimationFrame(frame)
}

function resize() {
  text.style.height = 'auto'
  text.style.height = `${Math.min(text.scrollHeight + 2, 160)}px` // 2: its border
}

kvasir.onStatus(showStatus)
kvasir.onPiece((piece) => {
  piecesOfFrame += piece
})
kvasir.state().then(({ status, messages: earlier }) => {
  showStatus(status)
  for (const message of earlier) add(message)
  toEnd()
  text.focus()
})
setInterval(showMemory, 2000)
requestAnimationFrame(frame)

text.addEventListener('input', resize)
text.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  ask()
})
element('composer').addEventListener('submit', (event) => {
  event.preventDefault()
  ask()
})
element('stop').addEventListener('click', () => kvasir.stop())
element('status').addEventListener('click', () => phase === 'failed' && kvasir.retry())
element('clear').addEventListener('click', async () => {
  if (writing) await kvasir.stop()
  await kvasir.clear()
  messages.textContent = ''
  text.focus()
})
document.addEventListener('keydown', (event) => event.key === 'Escape' && writing && kvasir.stop())
