// A list of checks, a line each; a check that throws is a failure and does not keep the others from running.
exports.attempts = function attempts() {
  let failures = 0
  return {
    /** `test` returns what to say of it. */
    attempt(name, test) {
      try {
        console.log(`ok    ${name.padEnd(16)} ${test()}`)
      } catch (error) {
        failures++
        console.log(`FAIL  ${name.padEnd(16)} ${error.message}`)
      }
    },
    /** Ends the process. */
    end() {
      console.log(`${failures} failed`)
      process.exit(failures ? 1 : 0)
    },
  }
}
