import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DevelopmentIssuerError } from './errors.ts'
import type { Api } from './grants.ts'
import {
  createIssuerFile,
  readIssuerFile,
  writeIssuerFile,
  type IssuerFile
} from './issuer-file.ts'
import { loadOidcProvider } from './load-provider.ts'
import { createProvider } from './provider.ts'

/** How a development issuer is started. */
export interface DevelopmentIssuerOptions {
  /** Port on 127.0.0.1; default 0, any free one. */
  readonly port?: number
  /** The `aud` of the access tokens. */
  readonly audience: string
  /** The scopes of the API; `openid profile email` come on top. */
  readonly scopes: readonly string[]
  /** Of these scopes, those that no user but ada gets; default: none. */
  readonly adminScopes?: readonly string[]
  /** Where keys and the client secret are kept over a restart; default: in memory. */
  readonly dataDir?: string
}

/** A running development issuer. */
export interface DevelopmentIssuer {
  /** Its issuer identifier, `http://127.0.0.1:<port>`. */
  readonly issuer: string
  /** The secret of the client `latchkey-machine`. */
  readonly clientSecret: string
  close(): Promise<void>
}

/**
 * Starts an OpenID Connect issuer on loopback for development: users ada and grace without passwords,
 * clients `latchkey-spa`, `latchkey-cli` and `latchkey-machine`, JWT access tokens for one API.
 * @throws {DevelopmentIssuerError} with one line that says what to do: under NODE_ENV=production,
 * without oidc-provider, when the port is taken or its file is damaged
 * @throws {ConfigError} if the data directory can't be used
 */
export async function startDevelopmentIssuer(
  options: DevelopmentIssuerOptions
): Promise<DevelopmentIssuer> {
  refuseInProduction()
  const [oidc, file] = await Promise.all([loadOidcProvider(), openIssuerFile(options.dataDir)])
  const server = createServer()
  const issuer = `http://127.0.0.1:${await listen(server, options.port ?? 0)}`
  try {
    server.on('request', createProvider(oidc, { issuer, api: apiOf(options), file }).callback())
    if (options.dataDir !== undefined) await writeIssuerFile(options.dataDir, { ...file, issuer })
  } catch (error) {
    await close(server)
    throw error
  }
  return { issuer, clientSecret: file.clientSecret, close: () => close(server) }
}

// A resource indicator is a URI; an audience need not be one.
function apiOf({ audience, scopes, adminScopes = [] }: DevelopmentIssuerOptions): Api {
  return {
    audience,
    scopes,
    adminScopes,
    resource: URL.canParse(audience) ? audience : 'urn:latchkey:api'
  }
}

// The last line of defence, whoever calls: this issuer signs anybody in.
function refuseInProduction(): void {
  if (process.env['NODE_ENV'] === 'production') {
    throw new DevelopmentIssuerError(
      'The development issuer does not run under NODE_ENV=production: set OIDC_ISSUER to the issuer to trust'
    )
  }
}

async function openIssuerFile(dataDir: string | undefined): Promise<IssuerFile> {
  const kept = dataDir === undefined ? undefined : await readIssuerFile(dataDir)
  return kept ?? createIssuerFile()
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new DevelopmentIssuerError(
          `The development issuer can not listen on port ${port}: ${cause.message}`,
          {
            cause
          }
        )
      )
    })
    server.listen(port, '127.0.0.1', resolve)
  })
  return (server.address() as AddressInfo).port
}

async function close(server: Server): Promise<void> {
  await new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  })
}
