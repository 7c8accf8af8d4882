/** A process of a test ends when the test's own process is gone: nobody would end it otherwise. */
process.once('disconnect', () => process.exit())
