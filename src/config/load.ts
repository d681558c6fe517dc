import type { TSchema } from 'typebox'
import { Errors } from 'typebox/schema'
import { readEnvironment, readTextFile } from './environment.ts'
import type { Environment, GivenSettings } from './environment.ts'
import { ConfigError } from './error.ts'
import { Config } from './schema.ts'
import { unknownSetting } from './suggestion.ts'
import { isObject } from '../json/object.ts'

/**
 * The service's settings from its environment and, if `LATCHKEY_CONFIG` names one, a JSON file.
 * A variable wins over the file. Pure over its arguments: `readFile` is asked only for files that variables name.
 * @throws {ConfigError} for the first setting that is unknown, missing or bad
 */
export function loadConfig(env: Environment, readFile: (path: string) => string): Config {
  const given = readEnvironment(env, readFile)
  const file = readConfigFile(env['LATCHKEY_CONFIG'], readFile)
  refuseTwoSourcesOfIssuers(file, given)
  refuseEmptyList(file)
  judgeHidden(file, given)
  const config = judge({ ...file, ...given.settings }, given.variables)
  refuseRepeatedIssuers(config)
  refuseDevelopmentIssuer(config, env['NODE_ENV'])
  return config
}

function readConfigFile(
  path: string | undefined,
  readFile: (path: string) => string
): Record<string, unknown> {
  if (path === undefined) return {}
  const text = readTextFile('LATCHKEY_CONFIG', path, readFile)
  const content = parseJson(text)
  if (!isObject(content))
    throw new ConfigError(
      'LATCHKEY_CONFIG',
      `${JSON.stringify(path)}, which holds no JSON object`,
      'a JSON object'
    )
  return content
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function judge(settings: Record<string, unknown>, variables: GivenSettings['variables']): Config {
  const complete = { ...defaults(), ...settings }
  const [, faults] = Errors(Config, complete)
  // an unknown name first: it may be why another one is missing
  const fault = faults.find(({ keyword }) => keyword === 'boolean') ?? faults[0]
  if (fault === undefined) return complete as Config
  const missing =
    'requiredProperties' in fault.params ? fault.params.requiredProperties[0] : undefined
  const pointer = missing === undefined ? fault.instancePath : `${fault.instancePath}/${missing}`
  throw faultAt(pointer, complete, variables)
}

/** What a variable takes the place of must be right too: it counts from the day on which the variable goes. */
function judgeHidden(file: Record<string, unknown>, { settings }: GivenSettings): void {
  const hidden = Object.entries(file).filter(([name]) => Object.hasOwn(settings, name))
  if (hidden.length > 0) judge(Object.fromEntries(hidden), {})
}

function defaults(): Record<string, unknown> {
  const { properties = {} }: DescribedSchema = Config as TSchema
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, schema]) =>
      schema.default === undefined ? [] : [[name, schema.default]]
    )
  )
}

function faultAt(
  pointer: string,
  settings: Record<string, unknown>,
  variables: GivenSettings['variables']
): ConfigError {
  const { schema, parent } = schemaAt(pointer)
  const setting = nameOf(pointer, variables) + whose(pointer, settings)
  if (schema === undefined)
    return unknownSetting(pointer.split('/').at(-1) ?? '', Object.keys(parent), setting)
  return new ConfigError(
    setting,
    describeFound(pointer, valueAt(pointer, settings)),
    schema.description ?? ''
  )
}

interface DescribedSchema {
  readonly description?: string
  readonly default?: unknown
  readonly properties?: Record<string, DescribedSchema>
  readonly items?: DescribedSchema
}

/** The schema of a member, and the members beside it; no schema where none is known. */
function schemaAt(pointer: string) {
  let schema: DescribedSchema | undefined = Config as TSchema
  let parent: Record<string, DescribedSchema> = {}
  for (const token of pointer.split('/').slice(1)) {
    parent = schema.properties ?? {}
    const next: DescribedSchema | undefined = schema.items ?? ownMember(parent, token)
    // An entry of a union (audience) is described by the union itself.
    if (next === undefined) return { schema: schema.properties ? undefined : schema, parent }
    schema = next
  }
  return { schema, parent }
}

function valueAt(pointer: string, settings: unknown): unknown {
  return pointer
    .split('/')
    .slice(1)
    .reduce<unknown>((value, token) => (value as Record<string, unknown>)[token], settings)
}

function ownMember<Value>(object: Record<string, Value>, name: string): Value | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

function nameOf(pointer: string, variables: GivenSettings['variables']): string {
  const variable = Object.keys(variables).find(
    (prefix) => pointer === prefix || pointer.startsWith(`${prefix}/`)
  )
  if (variable !== undefined) return variables[variable] ?? pointer
  const member = pointer
    .slice(1)
    .replaceAll(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.')
  return `LATCHKEY_CONFIG ${member}`.trimEnd()
}

/** Among several issuers, the name of the one that a setting belongs to: who can count to issuers[4711]? */
function whose(pointer: string, { issuers }: Record<string, unknown>): string {
  const [, index] = /^\/issuers\/(\d+)\/./.exec(pointer) ?? []
  if (index === undefined || !Array.isArray(issuers) || issuers.length < 2) return ''
  const issuer: unknown = issuers[Number(index)]?.issuer
  return typeof issuer === 'string' ? ` of ${describeFound('', issuer)}` : ''
}

/** What was found, in one line, without credentials: of a database URL only the scheme is shown. */
function describeFound(pointer: string, value: unknown): string {
  if (value === undefined) return 'nothing'
  if (pointer === '/databaseUrl' || pointer === '/redisUrl') return describeSecret(value)
  const isSecret = [...secretNames, ...secretHolders].some((name) => pointer.endsWith(`/${name}`))
  if (isSecret) return 'a value that is not shown'
  const shown = JSON.stringify(value, withoutSecrets).replace(/\/\/[^/]*@/, '//***@')
  return shown.length > 100 ? `${shown.slice(0, 100)}…` : shown
}

const secretNames = ['clientSecret', 'privateKey', 'nonceSecret', 'jwks']

/** Objects with a secret among their members, in whose place it may stand by mistake. */
const secretHolders = ['introspection', 'tokenExchange', 'dpopProofs']

function withoutSecrets(name: string, value: unknown): unknown {
  return secretNames.includes(name) ? '***' : value
}

function describeSecret(value: unknown): string {
  const [scheme] = /^[a-z][a-z0-9+.-]*:\/\//.exec(typeof value === 'string' ? value : '') ?? []
  return scheme === undefined ? 'a value without a scheme' : `${scheme}…`
}

function refuseTwoSourcesOfIssuers(
  file: Record<string, unknown>,
  { variables }: GivenSettings
): void {
  const variable = variables['/issuers']
  if (file['issuers'] !== undefined && variable !== undefined)
    throw new ConfigError(variable, 'a value beside "issuers" of LATCHKEY_CONFIG', 'one of the two')
}

/** Nobody who writes a list of issuers means the development issuer by it. */
function refuseEmptyList({ issuers }: Record<string, unknown>): void {
  if (Array.isArray(issuers) && issuers.length === 0)
    throw new ConfigError('LATCHKEY_CONFIG issuers', 'an empty list', 'one issuer or more')
}

function refuseRepeatedIssuers({ issuers }: Config): void {
  const names = new Set<string>()
  for (const { issuer } of issuers) {
    if (names.has(issuer))
      throw new ConfigError(
        'LATCHKEY_CONFIG issuers',
        `${JSON.stringify(issuer)} twice`,
        'each issuer once'
      )
    names.add(issuer)
  }
}

function refuseDevelopmentIssuer({ issuers }: Config, mode: string | undefined): void {
  if (issuers.length === 0 && mode === 'production')
    throw new ConfigError(
      'OIDC_ISSUER',
      'nothing',
      'the URL of your issuer: the development issuer does not run under NODE_ENV=production'
    )
}
