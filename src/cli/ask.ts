import { createInterface } from 'node:readline'

/** Whether there is a person who can be asked: both what they read and what they type is a terminal. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY
}

/** Asks on the terminal. Anything but `yes`, the end of the input and Ctrl-C are a no. */
export async function ask(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await new Promise<boolean>(resolve => {
      terminal.on('SIGINT', () => resolve(false)).on('close', () => resolve(false))
      terminal.question(`${question} Type yes: `, answer => resolve(answer.trim().toLowerCase() === 'yes'))
    })
  } finally {
    terminal.close()
  }
}
