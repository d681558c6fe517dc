import type { Test } from 'tap'
import { openDatabase } from '../../src/storage/database.ts'
import { createRevocationStore } from '../../src/storage/revocations.ts'
import type { TestIssuer } from '../../src/testing.ts'
import type { LatchkeyOptions } from '../../plugins/latchkey.ts'
import { registerReceivers } from '../../routes/receivers.ts'
import { startApi } from './api.ts'

/** What an API says to a statement of an issuer. */
export interface StatementAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Starts an API that keeps marks in memory, with the routes that issuers push to. */
export async function startRevocableApi(t: Test, options: LatchkeyOptions) {
  const storage = await openDatabase('memory://')
  t.teardown(() => storage.close())
  const revocationStore = createRevocationStore(storage)
  const api = await startApi(t, { revocationStore, ...options }, registerReceivers)
  const push = async (path: string, type: string, body: string): Promise<StatementAnswer> => {
    const headers = { 'content-type': type }
    const response = await fetch(api.origin + path, { method: 'POST', headers, body })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  return {
    ...api,
    logout: (token: string, form: Readonly<Record<string, string>> = {}) => {
      const body = new URLSearchParams({ logout_token: token, ...form }).toString()
      return push('/backchannel-logout', 'application/x-www-form-urlencoded', body)
    },
    push
  }
}

/** Changes to what an issuer would sign; undefined takes a claim out. */
export type Claims = Readonly<Record<string, unknown>>

/** Makes a logout token of the client `app` for the subject `ada` (Back-Channel Logout 1.0 section 2.4). */
export function mintLogoutToken(
  issuer: TestIssuer,
  claims: Claims = {},
  options: Parameters<TestIssuer['mint']>[1] = {}
): Promise<string> {
  return issuer.mint(
    {
      aud: 'app',
      client_id: undefined,
      scope: undefined,
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      ...claims
    },
    { ...options, header: { typ: 'logout+jwt', ...options.header } }
  )
}
