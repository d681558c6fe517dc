import { ConfigError } from './error.ts'
import type { Config } from './schema.ts'
import { unknownSetting } from './suggestion.ts'

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Settings that were given but not judged yet, and the variable that each came from, by JSON Pointer. */
export interface GivenSettings {
  readonly settings: Record<string, unknown>
  readonly variables: Record<string, string>
}

interface Variable {
  readonly member: keyof Config
  readonly read: (value: string) => unknown
}

const variables: Readonly<Record<string, Variable>> = {
  HOST: { member: 'host', read: asText },
  PORT: { member: 'port', read: asInteger },
  LOG_LEVEL: { member: 'logLevel', read: asText },
  PUBLIC_URL: { member: 'publicUrl', read: asText },
  DATABASE_URL: { member: 'databaseUrl', read: asText },
  REDIS_URL: { member: 'redisUrl', read: asText },
  DATA_DIR: { member: 'dataDir', read: asText },
  TRUST_PROXY: { member: 'trustProxy', read: asList },
  CORS_ORIGINS: { member: 'corsOrigins', read: asList },
  METRICS: { member: 'metrics', read: asText },
  RATE_LIMIT: { member: 'rateLimit', read: asText }
}

/** Variables whose value may also stand in a file named by `<VARIABLE>_FILE`. */
const secrets = ['DATABASE_URL', 'REDIS_URL']

const ownPrefixed = ['OIDC_ISSUER', 'OIDC_AUDIENCE', 'LATCHKEY_CONFIG']

/**
 * Reads the settings that the environment gives, without judging their values.
 * @throws {ConfigError} for unknown variables with a prefix of ours, and for secrets given twice
 */
export function readEnvironment(
  env: Environment,
  readFile: (path: string) => string
): GivenSettings {
  refuseUnknown(env)
  const given: GivenSettings = readIssuer(env)
  const complete = withSecretsFromFiles(env, readFile)
  for (const [name, { member, read }] of Object.entries(variables)) {
    const value = complete[name]
    if (value === undefined) continue
    given.settings[member] = read(value)
    given.variables[`/${member}`] = name
  }
  return given
}

/** One issuer in variables: `OIDC_ISSUER` with `OIDC_AUDIENCE`, neither without the other. */
function readIssuer({ OIDC_ISSUER: issuer, OIDC_AUDIENCE: audience }: Environment): GivenSettings {
  if (issuer === undefined && audience === undefined) return { settings: {}, variables: {} }
  return {
    settings: {
      issuers: [
        {
          ...(issuer !== undefined && { issuer }),
          ...(audience !== undefined && { audience: asList(audience) })
        }
      ]
    },
    variables: {
      '/issuers/0/issuer': 'OIDC_ISSUER',
      '/issuers/0/audience': 'OIDC_AUDIENCE',
      '/issuers': issuer === undefined ? 'OIDC_AUDIENCE' : 'OIDC_ISSUER'
    }
  }
}

function withSecretsFromFiles(env: Environment, readFile: (path: string) => string): Environment {
  const complete: Record<string, string | undefined> = { ...env }
  for (const name of secrets) {
    const path = env[`${name}_FILE`]
    if (path === undefined) continue
    if (env[name] !== undefined)
      throw new ConfigError(`${name}_FILE`, `${name} beside it`, 'one of the two')
    complete[name] = readTextFile(`${name}_FILE`, path, readFile).trimEnd()
  }
  return complete
}

/**
 * Reads the file that a setting names.
 * @throws {ConfigError} naming the setting, when the file can't be read
 */
export function readTextFile(
  setting: string,
  path: string,
  readFile: (path: string) => string
): string {
  try {
    return readFile(path)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new ConfigError(setting, `${JSON.stringify(path)} (${reason})`, 'a readable file')
  }
}

function refuseUnknown(env: Environment): void {
  for (const name of Object.keys(env)) {
    if (!/^(LATCHKEY|OIDC)_/.test(name) || ownPrefixed.includes(name)) continue
    throw unknownSetting(name, ownPrefixed)
  }
}

function asText(value: string): string {
  return value
}

function asInteger(value: string): unknown {
  return /^\d{1,9}$/.test(value) ? Number(value) : value
}

function asList(value: string): string[] {
  return value.split(',').map((item) => item.trim())
}
