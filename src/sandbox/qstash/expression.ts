/** Reads `retried` and gives a number. */
export type Expression = (retried: number) => number

const functions: Readonly<Record<string, (...values: number[]) => number>> = {
  pow: Math.pow,
  sqrt: Math.sqrt,
  abs: Math.abs,
  exp: Math.exp,
  floor: Math.floor,
  ceil: Math.ceil,
  round: Math.round,
  min: Math.min,
  max: Math.max,
}
const arity: Readonly<Record<string, number>> = { pow: 2, min: 2, max: 2 }

interface Reader {
  readonly tokens: readonly string[]
  at: number
}

/**
 * Reads an `Upstash-Retry-Delay` expression: numbers, `retried`, + - * /, parentheses and nine functions. Throws an
 * Error that says what is wrong with it. Source: upstash.com/docs/qstash/features/retry.
 */
export function parseExpression(text: string): Expression {
  const tokens = text.match(/\d+(?:\.\d+)?|[a-z]+|\S/g) ?? []
  const reader: Reader = { tokens, at: 0 }
  const expression = readSum(reader)
  if (reader.at < tokens.length) throw new Error(`did not expect ${tokens[reader.at]}`)
  return expression
}

function readSum(reader: Reader): Expression {
  let left = readProduct(reader)
  for (;;) {
    const operator = takeOne(reader, '+', '-')
    if (operator === undefined) return left
    const [a, b] = [left, readProduct(reader)]
    left = operator === '+' ? n => a(n) + b(n) : n => a(n) - b(n)
  }
}

function readProduct(reader: Reader): Expression {
  let left = readValue(reader)
  for (;;) {
    const operator = takeOne(reader, '*', '/')
    if (operator === undefined) return left
    const [a, b] = [left, readValue(reader)]
    left = operator === '*' ? n => a(n) * b(n) : n => a(n) / b(n)
  }
}

function readValue(reader: Reader): Expression {
  const token = reader.tokens[reader.at++]
  if (token === undefined) throw new Error('it ends too early')
  if (/^\d/.test(token)) return () => Number(token)
  if (token === 'retried') return n => n
  if (token === '-') {
    const value = readValue(reader)
    return n => -value(n)
  }
  if (token === '(') {
    const value = readSum(reader)
    expect(reader, ')')
    return value
  }
  return readCall(reader, token)
}

function readCall(reader: Reader, name: string): Expression {
  const call = Object.hasOwn(functions, name) ? functions[name] : undefined
  if (call === undefined) throw new Error(`does not know ${name}`)
  expect(reader, '(')
  const values = [readSum(reader)]
  while (takeOne(reader, ',') !== undefined) values.push(readSum(reader))
  expect(reader, ')')
  if (values.length !== (arity[name] ?? 1)) throw new Error(`${name} takes ${arity[name] ?? 1} values`)
  return n => call(...values.map(value => value(n)))
}

function takeOne(reader: Reader, ...wanted: readonly string[]): string | undefined {
  const token = reader.tokens[reader.at]
  if (token === undefined || !wanted.includes(token)) return undefined
  reader.at += 1
  return token
}

function expect(reader: Reader, wanted: string): void {
  if (takeOne(reader, wanted) === undefined) throw new Error(`expected ${wanted}`)
}
