// Required in Electron's main process before the example: uses its window as a person would, takes pictures, kills the
// process that runs the model, and prints what it saw as one line of JSON. Old JavaScript: Node 12 reads it.
const assert = require('node:assert')
const childProcess = require('node:child_process')
const { writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { app } = require('electron')

const { fork } = childProcess
let host
childProcess.fork = (...args) => {
  host = fork(...args)
  return host
}

const METER = `
  window.gaps = { worst: 0, count: 0 }
  let last = performance.now()
  requestAnimationFrame(function tick(now) {
    window.gaps.worst = Math.max(window.gaps.worst, now - last)
    window.gaps.count++
    last = now
    requestAnimationFrame(tick)
  })`
const LONG = 'Write a long story about a raven and a well, with many details.'
const ANSWERED = 'document.querySelectorAll("article:not(.writing) footer:not(:empty)").length'
const IS_READY = 'document.body.dataset.phase === "ready"'

app.on('browser-window-created', (_, window) => {
  const { webContents } = window
  const run = (code) => webContents.executeJavaScript(code)
  const picture = async (name) =>
    writeFileSync(join(process.env.PICTURES, `${name}.png`), (await webContents.capturePage()).toPNG())

  // In the page: a timer that Electron 9 sets in its main process from a promise of the page may never fire.
  const until = (condition, seconds = 60) =>
    run(`new Promise((resolve, reject) => {
      const end = Date.now() + ${seconds} * 1000
      const timer = setInterval(() => {
        if (${condition}) clearInterval(timer), resolve()
        else if (Date.now() > end) clearInterval(timer), reject(new Error(${JSON.stringify(condition)}))
      }, 20)
    })`)

  async function worstGap(during) {
    await run('window.gaps = { worst: 0, count: 0 }')
    await during()
    return run('window.gaps')
  }

  const ask = (question) => run(`text.value = ${JSON.stringify(question)}; element('send').click()`)
  const lastNote = () => run('[...document.querySelectorAll("article footer")].pop().textContent')

  async function drive() {
    await run(METER)
    const loading = await worstGap(async () => {
      await until('document.body.dataset.phase !== "loading"')
      if (await run('document.body.dataset.phase === "downloading"')) {
        await until(
          'element("progress").getAttribute("aria-valuenow") > 30 || document.body.dataset.phase === "ready"',
          300,
        )
        await picture('progress')
      }
      await until(IS_READY, 300)
    })
    const answering = await worstGap(async () => {
      await ask('What is the capital of France?')
      await until(`${ANSWERED} === 1`)
      await ask('Name three things to see there.')
      await until(`${ANSWERED} === 2`)
    })
    await until('element("memory").textContent !== ""')
    await picture('answer')

    await ask(LONG)
    await until('document.querySelector(".writing p").textContent.length > 100')
    await run('element("stop").click()')
    await until(`${ANSWERED} === 3`)
    assert.strictEqual(await lastNote(), 'stopped')

    await ask(LONG)
    await until('document.querySelector(".writing p").textContent.length > 100')
    const killed = host.pid
    process.kill(killed, 'SIGKILL')
    await until(`${ANSWERED} === 4`)
    assert.ok((await lastNote()).startsWith('interrupted'), await lastNote())
    await until(IS_READY)
    assert.notStrictEqual(host.pid, killed)
    await ask('Say hello.')
    await until(`${ANSWERED} === 5`)
    await picture('recovered')

    webContents.reload()
    await new Promise((resolve) => webContents.once('did-finish-load', resolve))
    await until(`${ANSWERED} === 5 && document.querySelectorAll("article").length === 10`)
    return {
      electron: process.versions.electron,
      loading,
      answering,
      notes: await run('[...document.querySelectorAll("footer")].map((f) => f.textContent).filter(Boolean)'),
    }
  }

  webContents.once('did-finish-load', () =>
    drive()
      .then(
        (found) => console.log(`RESULT ${JSON.stringify(found)}`),
        async (error) => {
          console.error(error, await run('document.body.innerText'))
          process.exitCode = 1
        },
      )
      .then(() => window.close()),
  )
})
