/** A process of a test ends when the test's own process is gone: nobody would end it otherwise. */
process.once('disconnect', () => {
  // Not by exit, which the process of commands has taken away.
  process.kill(process.pid, 'SIGKILL')
})
