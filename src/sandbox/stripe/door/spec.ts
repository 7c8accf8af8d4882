import { readFile } from 'node:fs/promises'
import type { ValidateFunction } from 'ajv/dist/2020.js'

/** Checks what comes in and goes out against Stripe's description of its API. Routes are `GET /v1/transfers/:id`. */
export interface Spec {
  /** What is wrong with the parameters of a request, or undefined: also for a route that the description has not. */
  readonly requestProblem: (route: string, params: object) => string | undefined
  /** What is wrong with an answer, or undefined. */
  readonly answerProblem: (route: string, status: number, body: unknown) => string | undefined
  /** The parameters of a route without those of its path; undefined for a route that the description has not. */
  readonly parametersOf: (route: string) => readonly string[] | undefined
}

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly schema: object
}

interface Operation {
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: { readonly $ref: string } }>> }
  readonly responses: { readonly 200: { readonly content: Readonly<Record<string, { readonly schema: object }>> } }
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, { readonly properties?: object }>> }
}

const base = 'stripe:api'
const errorSchema = { $ref: '#/components/schemas/Error' }

const loaded = new Map<string, Promise<Spec>>()

/**
 * Reads an OpenAPI 3.1 description, once in a process. Its parts are compiled when they are first needed: all of them would
 * take seconds, and each takes long enough to be kept for the next stand-in. Source: github.com/stripe/openapi.
 */
export async function loadSpec(path: string): Promise<Spec> {
  const spec = loaded.get(path) ?? readSpec(path)
  loaded.set(path, spec)
  return await spec
}

/** Ajv is there for development only, so it is imported here and not at the top. */
async function readSpec(path: string): Promise<Spec> {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  const description = JSON.parse(await readFile(path, 'utf8')) as Description
  const ajv = new Ajv2020({ strict: false, validateSchema: false, validateFormats: false, allErrors: false })
  ajv.addSchema(description, base)
  const checks = new Map<string, ValidateFunction>()
  const problemOf = (name: string, schema: () => object, value: unknown): string | undefined => {
    const check = checks.get(name) ?? ajv.compile(absolute(schema()))
    checks.set(name, check)
    if (check(value)) return undefined
    const [error] = check.errors ?? []
    return `${name}: ${error?.instancePath} ${error?.message} ${JSON.stringify(error?.params)}`
  }
  const operations = listOperations(description)
  return {
    requestProblem: (route, params) => {
      const operation = operations.get(route)
      return operation && problemOf(`request of ${route}`, () => requestSchema(operation), params)
    },
    answerProblem: (route, status, body) => {
      const operation = operations.get(route)
      if (status !== 200) return problemOf('an error', () => errorSchema, body)
      return operation && problemOf(`answer of ${route}`, () => answerSchema(operation), body)
    },
    parametersOf: route => {
      const operation = operations.get(route)
      return operation && namesOf(description, operation)
    },
  }
}

function listOperations({ paths }: Description): Map<string, Operation> {
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const route = `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, ':id')}`
      return [route, operation] as const
    }),
  )
  return new Map(all)
}

function requestSchema({ parameters = [], requestBody }: Operation): object {
  if (requestBody !== undefined) return Object.values(requestBody.content)[0]?.schema ?? {}
  const own = parameters.filter(parameter => parameter.in === 'query')
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(own.map(({ name, schema }) => [name, schema])),
    required: own.filter(({ required }) => required === true).map(({ name }) => name),
  }
}

function answerSchema({ responses }: Operation): object {
  return Object.values(responses[200].content)[0]?.schema ?? {}
}

function namesOf({ components }: Description, { parameters = [], requestBody }: Operation): string[] {
  const form = requestBody && Object.values(requestBody.content)[0]?.schema.$ref.split('/').at(-1)
  const inForm = form === undefined ? [] : Object.keys(components.schemas[form]?.properties ?? {})
  return [...inForm, ...parameters.filter(parameter => parameter.in === 'query').map(({ name }) => name)]
}

/** Parts of the description point into it; taken out of it they have to say where that is. */
function absolute(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', `"${base}#/`)) as object
}
