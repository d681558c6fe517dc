import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import Database from 'libsql'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'
import { createGlewlwydSession, type GlewlwydSession } from './glewlwyd-session.ts'
import { until } from './until.ts'

const executable = '/usr/bin/glewlwyd'
const modules = '/usr/lib/glewlwyd'
const schema = '/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3'

/** Why glewlwyd can't be the issuer of a test here; `false` where it can, and on CI, where it must. */
export const noGlewlwyd =
  existsSync(executable) || process.env['CI'] === 'true' ? false : `${executable} is not installed`

/** A running glewlwyd with its OpenID Connect plugin, one API, one client and one user. */
export interface Glewlwyd {
  readonly issuer: string
  readonly audience: string
  /** The client of the user; the only one that glewlwyd lets introspect and revoke its tokens. */
  readonly client: { readonly clientId: string; readonly clientSecret: string }
  /** Signs Ada in with the authorization code flow; without `resource` her token is not for the API. */
  readonly signIn: (request: SignIn) => Promise<Tokens>
  /** A token of the client itself (client credentials). */
  readonly mintForClient: (scope: string) => Promise<string>
  readonly revoke: (token: string) => Promise<void>
}

interface SignIn {
  readonly scope: string
  readonly resource?: string
}

interface Tokens {
  readonly accessToken: string
  readonly idToken: string
}

type Algorithm = 'ES256' | 'RS256'

const audience = 'https://api.example.com'
const client = { clientId: 'app', clientSecret: 'secret' }
const ada = { username: 'ada', password: 'countess' }
const administrator = { username: 'admin', password: 'password' }

/**
 * Starts Debian's glewlwyd on loopback, on a database of its own, and sets it up through its administration API. It
 * ends with the test.
 */
export async function startGlewlwyd(t: Test, algorithm: Algorithm = 'ES256'): Promise<Glewlwyd> {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const issuer = `${origin}/api/oidc`
  const child = spawn(executable, ['--env-variables'], {
    env: settings(port, createDatabase(t.testdir())),
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => stop(child))
  const output = text(child.stdout)
  await until(() => child.exitCode !== null || answers(origin))
  if (child.exitCode !== null) throw new Error(`glewlwyd did not start: ${await output}`)

  await setUp(await createGlewlwydSession(origin, administrator), { issuer, origin, algorithm })
  const user = await createGlewlwydSession(origin, ada)
  const request = (path: string, form: Record<string, string>) => post(`${issuer}/${path}`, form)
  return {
    issuer,
    audience,
    client,
    async signIn({ scope, resource }) {
      const redirectUri = `${origin}/callback`
      const asked = { scope, ...(resource !== undefined && { resource }) }
      const code = await user.authorize(client.clientId, { ...asked, redirect_uri: redirectUri })
      const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri }
      const { access_token, id_token } = await request('token', { ...form, ...asked })
      return { accessToken: String(access_token), idToken: String(id_token) }
    },
    async mintForClient(scope) {
      const form = { grant_type: 'client_credentials', scope, resource: audience }
      return String((await request('token', form))['access_token'])
    },
    async revoke(token) {
      await request('revoke', { token })
    }
  }
}

/** The subject is made by hand: glewlwyd would choose a random one, and a test needs the one of another issuer. */
function createDatabase(folder: string): string {
  const path = join(folder, 'glewlwyd.db')
  const database = new Database(path)
  database.exec(readFileSync(schema, 'utf8'))
  database.exec(
    `INSERT INTO gpo_subject_identifier (gposi_plugin_name, gposi_username, gposi_sub) VALUES ('oidc', 'ada', 'ada')`
  )
  database.close()
  return path
}

function settings(port: number, database: string): Record<string, string> {
  return {
    GLWD_PORT: String(port),
    GLWD_BIND_ADDRESS: '127.0.0.1',
    GLWD_EXTERNAL_URL: `http://127.0.0.1:${port}`,
    GLWD_LOGIN_URL: 'login.html',
    GLWD_API_PREFIX: 'api',
    GLWD_LOG_MODE: 'console',
    GLWD_LOG_LEVEL: 'ERROR',
    GLWD_COOKIE_SECURE: '0',
    GLWD_SESSION_KEY: 'session',
    GLWD_ADMIN_SCOPE: 'g_admin',
    GLWD_PROFILE_SCOPE: 'g_profile',
    GLWD_USER_MODULE_PATH: join(modules, 'user'),
    GLWD_CLIENT_MODULE_PATH: join(modules, 'client'),
    GLWD_AUTH_SCHEME_MODULE_PATH: join(modules, 'scheme'),
    GLWD_PLUGIN_MODULE_PATH: join(modules, 'plugin'),
    GLWD_HASH_ALGORITHM: 'SHA512',
    GLWD_DATABASE_TYPE: 'sqlite3',
    GLWD_DATABASE_SQLITE3_PATH: database
  }
}

interface Place {
  readonly issuer: string
  readonly origin: string
  readonly algorithm: Algorithm
}

async function setUp({ create }: GlewlwydSession, place: Place): Promise<void> {
  const scopes = ['documents:read', 'documents:write']
  for (const name of scopes) await create('scope', { name, display_name: name, scheme: {} })
  await create('mod/plugin', {
    module: 'oidc',
    name: 'oidc',
    display_name: 'OpenID Connect',
    enabled: true,
    parameters: pluginParameters(place, ['openid', ...scopes])
  })
  await create('user', {
    ...ada,
    name: 'Ada Lovelace',
    enabled: true,
    scope: ['openid', ...scopes]
  })
  await create('client', {
    client_id: client.clientId,
    client_secret: client.clientSecret,
    name: 'an application',
    enabled: true,
    confidential: true,
    redirect_uri: [`${place.origin}/callback`],
    authorization_type: ['code', 'client_credentials'],
    token_endpoint_auth_method: ['client_secret_basic'],
    scope: scopes
  })
}

function pluginParameters({ issuer, algorithm }: Place, scopes: readonly string[]): object {
  return {
    iss: issuer,
    'jwks-private': JSON.stringify({ keys: [signingKey(algorithm)] }),
    'jwks-show': true,
    'access-token-duration': 600,
    'refresh-token-duration': 600,
    'code-duration': 60,
    'auth-type-code-enabled': true,
    'auth-type-client-enabled': true,
    'allow-non-oidc': true,
    'introspection-revocation-allowed': true,
    'introspection-revocation-allow-target-client': true,
    'resource-allowed': true,
    'resource-scope': Object.fromEntries(scopes.map((scope) => [scope, [audience]])),
    'name-claim': 'mandatory',
    'subject-type': 'public'
  }
}

function signingKey(alg: Algorithm): object {
  const { privateKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { ...privateKey.export({ format: 'jwk' }), alg, kid: alg, use: 'sig' }
}

/** Sends a form as the client. */
async function post(url: string, form: Record<string, string>): Promise<Record<string, unknown>> {
  const credentials = Buffer.from(`${client.clientId}:${client.clientSecret}`).toString('base64')
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Basic ${credentials}` },
    body: new URLSearchParams(form)
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(`glewlwyd answered ${url} with ${response.status}: ${answer}`)
  return (answer === '' ? {} : JSON.parse(answer)) as Record<string, unknown>
}

async function answers(origin: string): Promise<boolean> {
  return fetch(`${origin}/config`).then(
    ({ ok }) => ok,
    () => false
  )
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exited = once(child, 'exit')
  child.kill()
  await exited
}
