import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { IssuerOptions } from '../../src/issuer/issuer-options.ts'
import { startTestIssuer } from '../../src/testing.ts'

/** Many issuers at one origin, who sign with the same key and are told apart by their paths. */
export interface Fleet {
  readonly audience: string
  readonly optionsOf: (name: string) => IssuerOptions
  readonly mint: (name: string, claims?: Readonly<Record<string, unknown>>) => Promise<string>
  /** The issuers whose keys were downloaded, one entry a download. */
  readonly downloads: readonly string[]
  /** The issuers whose metadata were asked for, one entry a request. */
  readonly asked: readonly string[]
  /** Whether an issuer answers; all do until this says otherwise. */
  answers: (name: string) => boolean
}

/** Starts the fleet; it ends with the test. */
export async function startFleet(t: Test): Promise<Fleet> {
  const sound = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => sound.close())
  const downloads: string[] = []
  const asked: string[] = []
  const server = createServer((request, response) => {
    const [, name = '', ...path] = (request.url ?? '').split('/')
    if (path[0] === '.well-known') asked.push(name)
    const issuer = `${origin}/${name}`
    if (!fleet.answers(name)) response.destroy()
    else if (path.join('/') === '.well-known/openid-configuration')
      response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/jwks` }))
    else if (path[0] === 'jwks') {
      downloads.push(name)
      response.end(JSON.stringify(sound.jwks))
    } else response.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { audience } = sound
  const fleet: Fleet = {
    audience,
    downloads,
    asked,
    optionsOf: (name) => ({ issuer: `${origin}/${name}`, audience }),
    mint: (name, claims = {}) => sound.mint({ iss: `${origin}/${name}`, ...claims }),
    answers: () => true
  }
  return fleet
}
