import { createHash, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { createBrowser, inputsOf } from '../src/development/browser.ts'
import { startIssuerProcess } from '../src/development/issuer-process.ts'

const audience = 'https://api.example.com'
const callback = 'http://localhost:5173/after/sign-in'
const scope = 'openid profile email documents:read'

type TokenResponse = Readonly<
  Record<'access_token' | 'refresh_token' | 'id_token' | 'error', string>
>

const scopes = ['documents:read', 'documents:write', 'documents:admin']
const running = await startIssuerProcess({ audience, scopes, adminScopes: ['documents:admin'] })
t.teardown(() => running.stop())

async function metadata(): Promise<Record<string, string>> {
  const response = await fetch(`${running.issuer}/.well-known/openid-configuration`)
  return (await response.json()) as Record<string, string>
}

async function post(endpoint: string, form: Record<string, string>, headers = {}) {
  const url = (await metadata())[endpoint] ?? ''
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form), headers })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

async function tokens(form: Record<string, string>, headers = {}): Promise<TokenResponse> {
  return (await post('token_endpoint', form, headers)).body as TokenResponse
}

function authorizationRequest(change: Record<string, string> = {}) {
  const verifier = randomBytes(32).toString('base64url')
  const parameters = {
    client_id: 'latchkey-spa',
    response_type: 'code',
    redirect_uri: callback,
    scope,
    state: 'a state',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...change
  }
  return { verifier, url: `${running.issuer}/auth?${new URLSearchParams(parameters).toString()}` }
}

async function signIn(user: string, change: Record<string, string> = {}) {
  const browser = createBrowser(running.issuer)
  const { url, verifier } = authorizationRequest(change)
  const login = await browser.open(url)
  const landed = await browser.open(login.url, { user })
  return { login, landed: new URL(landed.url), verifier, browser }
}

async function signInForTokens(user: string, change: Record<string, string> = {}) {
  const { landed, verifier } = await signIn(user, change)
  const { client_id = 'latchkey-spa', redirect_uri = callback } = change
  return tokens({
    grant_type: 'authorization_code',
    code: landed.searchParams.get('code') ?? '',
    client_id,
    redirect_uri,
    code_verifier: verifier
  })
}

async function verified(token: string) {
  const keys = createRemoteJWKSet(new URL((await metadata())['jwks_uri'] ?? ''))
  return jwtVerify(token, keys, { issuer: running.issuer, audience, typ: 'at+jwt' })
}

async function me(token: string, init: RequestInit = {}) {
  const url = (await metadata())['userinfo_endpoint'] ?? ''
  return fetch(url, { ...init, headers: { authorization: `Bearer ${token}` } })
}

async function checkUserToken(t: Test, token: string, sub: string, client_id: string) {
  const { payload, protectedHeader } = await verified(token)
  t.match(payload, { sub, client_id, scope, jti: String })
  t.equal(protectedHeader.alg, 'RS256')
  const answer = await me(token)
  t.equal(answer.status, 200)
  t.match(await answer.json(), { sub, email: `${sub}@example.com`, name: RegExp(sub, 'i') })
}

void t.test('a single-page app signs in with code and PKCE', async (t) => {
  for (const user of ['ada', 'grace']) {
    const { access_token, id_token } = await signInForTokens(user)
    await checkUserToken(t, access_token, user, 'latchkey-spa')
    t.type(id_token, 'string')
  }
})

void t.test(
  'only ada gets the scopes of administrators, and nobody is asked without end',
  async (t) => {
    const both = { scope: 'documents:read documents:admin' }
    for (const [user, scope] of [
      ['ada', 'documents:read documents:admin'],
      ['grace', 'documents:read']
    ] as const) {
      const { access_token } = await signInForTokens(user, both)
      t.match((await verified(access_token)).payload, { sub: user, scope })
    }
  }
)

void t.test(
  'STEP-4: an access token says when the user signed in, a refreshed one too',
  async (t) => {
    const before = Math.floor(Date.now() / 1000)
    const { access_token, refresh_token } = await signInForTokens('ada')
    const { auth_time } = (await verified(access_token)).payload
    t.ok(Number(auth_time) >= before && Number(auth_time) <= before + 5)
    const refresh = { grant_type: 'refresh_token', client_id: 'latchkey-spa', refresh_token }
    const again = await tokens(refresh)
    t.equal((await verified(again.access_token)).payload['auth_time'], auth_time)
  }
)

void t.test('the login page stands alone and can not be framed', async (t) => {
  const { login, landed } = await signIn('ada')
  t.match(login.body, /Ada Lovelace.*Grace Hopper/)
  t.notMatch(login.body, /<script|src=|href=|@import/)
  t.match(
    login.headers.get('content-security-policy'),
    /default-src 'none'.*frame-ancestors 'none'/
  )
  t.equal(`${landed.origin}${landed.pathname}`, callback)
  t.equal(landed.searchParams.get('state'), 'a state')
  t.equal(landed.searchParams.get('iss'), running.issuer)
})

void t.test('someone who is no user stays on the login page', async (t) => {
  const { landed } = await signIn('mallory')
  t.match(landed.pathname, /^\/interaction\//)
})

void t.test('a native app is redirected to any loopback port', async (t) => {
  const native = { client_id: 'latchkey-cli', redirect_uri: 'http://127.0.0.1:49152/cb' }
  const { access_token } = await signInForTokens('grace', native)
  await checkUserToken(t, access_token, 'grace', 'latchkey-cli')
})

void t.test('a client may name the API by its RFC 9728 resource', async (t) => {
  const { access_token } = await signInForTokens('ada', { resource: 'http://127.0.0.1:3000' })
  await checkUserToken(t, access_token, 'ada', 'latchkey-spa')
})

void t.test('a session signs in again without a page, and ends at sign-out', async (t) => {
  const { browser } = await signIn('ada')
  const again = await browser.open(authorizationRequest({ prompt: 'none' }).url)
  t.match(again.url, /[?&]code=/)
  const question = await browser.open(`${running.issuer}/session/end?client_id=latchkey-spa`)
  await browser.open(`${running.issuer}/session/end/confirm`, {
    ...inputsOf(question.body),
    logout: 'yes'
  })
  const after = await browser.open(authorizationRequest({ prompt: 'none' }).url)
  t.match(after.url, /error=login_required/)
})

void t.test('a refresh token brings a new access token, once', async (t) => {
  const first = await signInForTokens('ada')
  const refresh = { grant_type: 'refresh_token', client_id: 'latchkey-spa' }
  const second = await tokens({ ...refresh, refresh_token: first.refresh_token })
  t.not(second.access_token, first.access_token)
  await checkUserToken(t, second.access_token, 'ada', 'latchkey-spa')
  const again = await tokens({ ...refresh, refresh_token: first.refresh_token })
  t.equal(again.error, 'invalid_grant')
})

void t.test('a device is connected with a code', async (t) => {
  const client_id = 'latchkey-cli'
  const { body: device } = await post('device_authorization_endpoint', { client_id, scope })
  const poll = {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: (device as Record<string, string>)['device_code'] ?? '',
    client_id
  }
  t.equal((await tokens(poll)).error, 'authorization_pending')
  const browser = createBrowser(running.issuer)
  const { user_code = '', verification_uri = '' } = device as Record<string, string>
  const entry = await browser.open(verification_uri)
  const wrong = await browser.open(verification_uri, { ...inputsOf(entry.body), user_code: 'XXXX' })
  t.match(wrong.body, /enter the code again/)
  const confirm = await browser.open(verification_uri, { ...inputsOf(wrong.body), user_code })
  t.match(confirm.body, `<code>${user_code}</code>`)
  const login = await browser.open(verification_uri, inputsOf(confirm.body))
  const done = await browser.open(login.url, { user: 'grace' })
  t.match(done.body, /You can close this page/)
  await checkUserToken(t, (await tokens(poll)).access_token, 'grace', client_id)
})

void t.test('a machine gets a token of its own, without scopes about users', async (t) => {
  const basic = Buffer.from(`latchkey-machine:${running.clientSecret}`).toString('base64')
  const form = { grant_type: 'client_credentials', scope: 'openid documents:write' }
  const { access_token } = await tokens(form, { authorization: `Basic ${basic}` })
  const { payload } = await verified(access_token)
  t.match(payload, {
    sub: 'latchkey-machine',
    client_id: 'latchkey-machine',
    scope: 'documents:write'
  })
  t.equal((await me(access_token)).status, 403)
  const forged = Buffer.from('latchkey-machine:secret').toString('base64')
  t.equal((await tokens(form, { authorization: `Basic ${forged}` })).error, 'invalid_client')
})

void t.test('one POST gives a script a token of a user', async (t) => {
  const form = {
    grant_type: 'urn:latchkey:grant-type:development-user',
    client_id: 'latchkey-cli',
    user: 'grace',
    scope
  }
  await checkUserToken(t, (await tokens(form)).access_token, 'grace', 'latchkey-cli')
  t.equal((await tokens({ ...form, user: 'mallory' })).error, 'invalid_grant')
  t.equal((await tokens({ ...form, client_id: 'latchkey-spa' })).error, 'invalid_request')
})

void t.test('an authorization request is refused', async (t) => {
  const browser = createBrowser(running.issuer)
  for (const redirect_uri of [
    'https://app.example.com/cb',
    'http://127.0.0.1.example.com/cb',
    'http://127.0.0.1@example.com/cb',
    'javascript:alert(1)'
  ]) {
    const page = await browser.open(authorizationRequest({ redirect_uri }).url)
    t.equal(page.status, 400, redirect_uri)
    t.match(page.body, /redirect_uri/)
  }
  const plain = await browser.open(authorizationRequest({ code_challenge_method: 'plain' }).url)
  t.match(plain.url, /error=invalid_request/)
  const none = await browser.open(authorizationRequest({ code_challenge: '' }).url)
  t.match(none.url, /error=invalid_request/)
})

void t.test('a code is worth nothing without its verifier', async (t) => {
  const { landed } = await signIn('ada')
  const code = landed.searchParams.get('code') ?? ''
  const form = {
    grant_type: 'authorization_code',
    client_id: 'latchkey-spa',
    redirect_uri: callback
  }
  const answer = await tokens({ ...form, code, code_verifier: 'x'.repeat(43) })
  t.equal(answer.error, 'invalid_grant')
})

void t.test('UserInfo refuses what is no access token of this issuer', async (t) => {
  const { access_token, id_token } = await signInForTokens('ada', { scope: 'openid' })
  t.same(await (await me(access_token, { method: 'POST' })).json(), { sub: 'ada' })
  for (const token of [id_token, `${access_token.slice(0, -8)}AAAAAAAA`, 'x']) {
    const answer = await me(token)
    t.equal(answer.status, 401)
    t.equal(answer.headers.get('www-authenticate'), 'Bearer error="invalid_token"')
  }
  const anonymous = await fetch(`${running.issuer}/me`)
  t.equal(anonymous.status, 401)
  t.equal(anonymous.headers.get('www-authenticate'), 'Bearer')
})

void t.test(
  'a browser app on loopback may read tokens and UserInfo, a foreign page may not',
  async (t) => {
    const form = { grant_type: 'refresh_token', client_id: 'latchkey-spa' }
    for (const [origin, allowed] of [
      ['http://localhost:5173', 'http://localhost:5173'],
      ['https://evil.example', null]
    ] as const) {
      const { refresh_token, access_token } = await signInForTokens('ada')
      const answer = await post('token_endpoint', { ...form, refresh_token }, { origin })
      t.equal(answer.headers.get('access-control-allow-origin'), allowed)
      const headers = { origin, authorization: `Bearer ${access_token}` }
      const info = await fetch(`${running.issuer}/me`, { headers })
      t.equal(info.headers.get('access-control-allow-origin'), allowed)
    }
  }
)

void t.test('none of that wrote a line to the console', async (t) => {
  t.equal(await running.stop(), '')
})
