import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { type Environment, loadConfig } from '../../src/config.ts'

/** A file by its path from the root. */
export interface Source {
  readonly file: string
  readonly text: string
}

export interface Import {
  readonly target: string
  /** As it is written. */
  readonly text: string
  readonly typesOnly: boolean
}

/** The files that match the pattern, read whole, in order. */
export function readAll(pattern: string): Source[] {
  return globSync(pattern)
    .toSorted()
    .map(file => ({ file, text: readFileSync(file, 'utf8') }))
}

/** `jobs/` for src/jobs/keep-alive.ts, `app.ts` for src/app.ts, the path itself for a file outside of src. */
export function layerOf(file: string): string {
  const [, first = '', ...others] = file.split('/')
  if (!file.startsWith('src/')) return file
  return others.length === 0 ? first : `${first}/`
}

/** Every import of the file: fixed, for effect, and inline. */
export function listImports({ text }: Source): Import[] {
  const fixed = [...text.matchAll(/^(?:import|export)\s+(type\s+)?([\w$*{},\s]*?)\s*from\s+'([^']+)'/gm)].map(
    ([whole, type, names = '', target = '']) => ({
      target,
      text: whole,
      typesOnly: type !== undefined || isTypesOnly(names),
    }),
  )
  const bare = [...text.matchAll(/^import\s+'([^']+)'/gm)].map(([whole, target = '']) => ({
    target,
    text: whole,
    typesOnly: false,
  }))
  const inline = [...text.matchAll(/(typeof\s+)?\bimport\('([^']+)'\)/g)].map(([whole, type, target = '']) => ({
    target,
    text: whole,
    typesOnly: type !== undefined,
  }))
  return [...fixed, ...bare, ...inline]
}

function isTypesOnly(names: string): boolean {
  const list = /^\{(.*)\}$/s
    .exec(names.trim())?.[1]
    ?.split(',')
    .map(name => name.trim()) ?? ['']
  return list.filter(name => name !== '').every(name => name.startsWith('type ')) && list[0] !== ''
}

/** The files of ours that it imports, by path from the root. */
export function listLocalImports(source: Source): { readonly file: string; readonly typesOnly: boolean }[] {
  return listImports(source)
    .filter(({ target }) => target.startsWith('.'))
    .map(({ target, typesOnly }) => ({ file: path.join(path.dirname(source.file), target), typesOnly }))
}

/** The npm packages that it imports, as values or as types. */
export function listPackages(source: Source): string[] {
  return listImports(source)
    .map(({ target }) => target)
    .filter(target => !target.startsWith('.') && !target.startsWith('node:'))
    .map(target => target.split('/', target.startsWith('@') ? 2 : 1).join('/'))
}

/** The names of the files that are wrong. */
export function findFiles(among: readonly Source[], isWrong: (source: Source) => boolean): string[] {
  return among.filter(isWrong).map(({ file }) => file)
}

/** Every line that matches, outside of the layers allowed to have it. Lines of comment do not count. */
export function findLines(among: readonly Source[], pattern: RegExp, allowed: readonly string[]): string[] {
  return among
    .filter(({ file }) => !allowed.includes(layerOf(file)))
    .flatMap(({ file, text }) =>
      text
        .split('\n')
        .map((line, index) => ({ line: line.trim(), at: `${file}:${index + 1}` }))
        .filter(({ line }) => !/^(?:\/\/|\/?\*)/.test(line) && pattern.test(line))
        .map(({ at, line }) => `${at} ${line}`),
    )
}

/** Every variable that config.ts asks for, in any mode. */
export function listVariablesRead(): Set<string> {
  const read = new Set<string>()
  for (const NODE_ENV of ['production', 'development', 'test']) {
    const env = new Proxy<Environment>(
      { NODE_ENV },
      {
        get: (target, name) => {
          read.add(String(name))
          return target[String(name)]
        },
      },
    )
    try {
      loadConfig(env)
    } catch {
      // It has problems, and it has been read to the end.
    }
  }
  return read
}

/** The cells of the Markdown table whose first column has that heading. Throws when there is none. */
export function readTable(markdown: string, heading: string): string[][] {
  const lines = markdown.split('\n')
  const start = lines.findIndex(line => line.startsWith(`| ${heading} |`))
  if (start === -1) throw new Error(`there is no table of ${heading}`)
  const rows = lines.slice(start + 2)
  return rows
    .slice(
      0,
      rows.findIndex(line => !line.startsWith('|')),
    )
    .map(line =>
      line
        .split('|')
        .slice(1, -1)
        .map(cell => cell.trim()),
    )
}
