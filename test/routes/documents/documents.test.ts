import t from 'tap'
import { build, create, publicUrl, send } from './app.ts'

const unknownId = '01994f3a-7c11-7d2e-9b7a-0c4f5d1e2a3b'

t.test('HTTP-8, HTTP-2: a new document comes with Location, ETag and Cache-Control', async (t) => {
  const app = await build(t)
  const response = await send(app, 'POST', '/documents', {
    collection: 'notes',
    data: { b: 1, a: [] }
  })
  t.equal(response.statusCode, 201)
  const { id, ...document } = response.json()
  t.match(response.headers, {
    location: `${publicUrl}/documents/${id}`,
    etag: /^"[^"]+"$/,
    'cache-control': 'private, no-cache',
    'content-type': 'application/json; charset=utf-8'
  })
  t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  t.same(Object.keys(document), ['collection', 'data', 'createdAt', 'updatedAt'])
  const read = await send(app, 'GET', `/documents/${id}`)
  t.equal(read.statusCode, 200)
  t.equal(read.body, response.body)
  t.equal(read.headers.etag, response.headers.etag)
})

t.test('HTTP-10: HEAD answers as GET without a body', async (t) => {
  const app = await build(t)
  const { url, etag } = await create(app)
  for (const path of [url, '/documents', '/documents/changes']) {
    const [get, head] = [await send(app, 'GET', path), await send(app, 'HEAD', path)]
    t.equal(head.statusCode, 200)
    t.equal(head.body, '')
    t.match(head.headers, { 'content-length': String(get.body.length) })
  }
  t.equal((await send(app, 'HEAD', url)).headers.etag, etag)
})

t.test('HTTP-6: If-None-Match on GET', async (t) => {
  const app = await build(t)
  const { url, etag } = await create(app)
  for (const field of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const response = await send(app, 'GET', url, undefined, { 'if-none-match': field })
    t.equal(response.statusCode, 304, field)
    t.equal(response.headers.etag, etag)
    t.equal(response.body, '')
  }
  const other = await send(app, 'GET', url, undefined, { 'if-none-match': '"x"' })
  t.equal(other.statusCode, 200)
})

t.test('HTTP-5: a false If-Match on GET and HEAD, before If-None-Match', async (t) => {
  const app = await build(t)
  const { url, etag } = await create(app)
  for (const method of ['GET', 'HEAD'] as const) {
    for (const field of ['"stale"', `W/${etag}`]) {
      const headers = { 'if-match': field, 'if-none-match': etag }
      const refused = await send(app, method, url, undefined, headers)
      t.equal(refused.statusCode, 412, `${method} ${field}`)
      t.match(refused.headers, { 'content-type': 'application/problem+json' })
    }
    for (const field of [etag, '*', `"x", ${etag}`]) {
      const headers = { 'if-match': field }
      t.equal((await send(app, method, url, undefined, headers)).statusCode, 200, field)
      const both = { ...headers, 'if-none-match': etag }
      t.equal((await send(app, method, url, undefined, both)).statusCode, 304, field)
    }
    const foreign = { 'if-match': '"stale"', 'x-subject': 'grace' }
    t.equal((await send(app, method, url, undefined, foreign)).statusCode, 404)
  }
})

const changes: readonly (readonly [method: 'PUT' | 'PATCH' | 'DELETE', body?: object])[] = [
  ['PUT', { data: { new: true } }],
  ['PATCH', { data: { new: true } }],
  ['DELETE']
]

for (const [method, body] of changes) {
  t.test(`STAT-1, HTTP-5: ${method} needs a true If-Match`, async (t) => {
    const app = await build(t)
    const { url, etag } = await create(app)
    const missing = await send(app, method, url, body)
    t.equal(missing.statusCode, 428)
    t.match(missing.json(), { detail: /If-Match/ })
    for (const field of ['"stale"', `W/${etag}`, '5', ''])
      t.equal((await send(app, method, url, body, { 'if-match': field })).statusCode, 412, field)
    const excluded = { 'if-match': etag, 'if-none-match': etag }
    t.equal((await send(app, method, url, body, excluded)).statusCode, 412)
    t.equal((await send(app, 'GET', url)).headers.etag, etag, 'nothing changed')
    const done = await send(app, method, url, body, { 'if-match': `"x", ${etag}` })
    t.equal(done.statusCode, method === 'DELETE' ? 204 : 200)
    const again = await send(app, method, url, body, { 'if-match': '*' })
    t.equal(again.statusCode, method === 'DELETE' ? 404 : 200)
  })

  t.test(`HTTP-7, HTTP-11: ${method} on another's document is as on none`, async (t) => {
    const app = await build(t)
    const { url, etag } = await create(app)
    for (const fields of [{ 'if-match': etag }, { 'if-match': '*' }, {}]) {
      const headers = { ...fields, 'x-subject': 'grace' }
      const foreign = await send(app, method, url, body, headers)
      const none = await send(app, method, `/documents/${unknownId}`, body, headers)
      t.equal(foreign.statusCode, 404)
      t.same({ ...foreign.json(), instance: '' }, { ...none.json(), instance: '' })
      t.same(Object.keys(foreign.headers), Object.keys(none.headers))
    }
  })
}

const invalid: readonly (readonly ['PUT' | 'PATCH', string, unknown])[] = [
  ['PUT', 'data of another type', { data: 5 }],
  ['PUT', 'an unknown member', { data: {}, role: 'admin' }],
  ['PUT', 'a number beyond doubles', '{"data":{"a":1e400}}'],
  ['PATCH', 'data of another type', { data: 5 }],
  ['PATCH', 'a number beyond doubles', '{"data":{"a":1e400}}']
]

for (const [method, name, body] of invalid) {
  t.test(`HTTP-7: ${method} with ${name}: conditions come before content`, async (t) => {
    const app = await build(t)
    const { url, etag } = await create(app)
    const unknown = `/documents/${unknownId}`
    const expected = [
      [unknown, {}, 404],
      [unknown, { 'if-match': etag }, 404],
      [url, { 'if-match': etag, 'x-subject': 'grace' }, 404],
      [url, {}, 428],
      [url, { 'if-match': '"stale"' }, 412],
      [url, { 'if-none-match': '*' }, 412],
      [url, { 'if-match': etag }, 422],
      [unknown, { 'if-none-match': '*' }, method === 'PUT' ? 422 : 404]
    ] as const
    for (const [path, headers, status] of expected)
      t.equal((await send(app, method, path, body, headers)).statusCode, status)
    const refused = await send(app, method, url, body, { 'if-match': etag })
    t.match(refused.json().errors[0].pointer, /^\/(?:data|role)/)
    t.equal((await send(app, 'GET', url)).headers.etag, etag, 'nothing changed')
  })
}

t.test('PUT of an unknown id without conditions tells how to create', async (t) => {
  const app = await build(t)
  const { url } = await create(app)
  const unknown = `/documents/${unknownId}`
  const refused = await send(app, 'PUT', unknown, { data: {} })
  t.match(refused.json(), { status: 404, detail: /To create it, send If-None-Match: \*\.$/ })
  const foreign = await send(app, 'PUT', url, { data: {} }, { 'x-subject': 'grace' })
  t.equal(foreign.json().detail, refused.json().detail)
  for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
    const body = method === 'PATCH' ? {} : undefined
    const { detail } = (await send(app, method, unknown, body)).json()
    t.equal(detail, 'You have no document with this id.')
  }
})

t.test('PUT creates under an id of the client, once', async (t) => {
  const app = await build(t)
  const url = `/documents/${unknownId}`
  const create = { 'if-none-match': '*' }
  const response = await send(app, 'PUT', url, { data: {} }, create)
  t.equal(response.statusCode, 201)
  t.equal(response.headers.location, publicUrl + url)
  t.equal((await send(app, 'PUT', url, { data: {} }, create)).statusCode, 412)
  t.equal((await send(app, 'PUT', url, { data: {} })).statusCode, 428)
  for (const id of ['x', '00000000-0000-0000-0000-000000000000']) {
    const refused = await send(app, 'PUT', `/documents/${id}`, { data: {} }, create)
    t.equal(refused.statusCode, 422)
    t.match(refused.json().errors, [{ pointer: '/id' }])
    t.equal((await send(app, 'GET', `/documents/${id}`)).statusCode, 404)
  }
})

t.test('PUT replaces the whole, collection included', async (t) => {
  const app = await build(t)
  const { url, etag } = await create(app, { collection: 'notes', data: { a: 1 } })
  const response = await send(app, 'PUT', url, { data: { b: 2 } }, { 'if-match': etag })
  t.match(response.json(), { collection: 'default', data: { b: 2 } })
  t.notOk('a' in response.json().data)
  t.not(response.headers.etag, etag)
})

t.test('lists pages that Link and next lead through', async (t) => {
  const app = await build(t)
  for (let index = 0; index < 5; index++)
    await create(app, { collection: index === 2 ? 'other' : 'notes', data: { index } })
  const seen: number[] = []
  let url: string | undefined = '/documents?limit=2&collection=notes'
  while (url !== undefined) {
    const response = await send(app, 'GET', url)
    const { items, next } = response.json()
    seen.push(...items.map((item: { data: { index: number } }) => item.data.index))
    t.equal(response.headers['cache-control'], 'private, no-cache')
    const link = /^<(.+)>; rel="next"$/.exec(String(response.headers.link ?? ''))?.[1]
    t.equal(link && new URL(link).searchParams.get('cursor'), next)
    url = link?.slice(publicUrl.length)
  }
  t.same(seen, [4, 3, 1, 0])
  t.equal((await send(app, 'GET', '/documents')).json().items.length, 5)
})

t.test('OWASP-4: refuses queries out of bounds, and unknown parameters', async (t) => {
  const app = await build(t)
  const { url } = await create(app)
  const queries = ['limit=0', 'limit=101', 'limit=1e9', 'limit=', 'limit=x', 'limit=1&limit=2']
  queries.push('limit=999999999999999999999', 'sort=asc')
  for (const path of ['/documents', '/documents/changes'])
    for (const query of queries)
      t.equal((await send(app, 'GET', `${path}?${query}`)).statusCode, 422, `${path}?${query}`)
  t.equal((await send(app, 'GET', '/documents?collection=%2F')).statusCode, 422)
  t.equal((await send(app, 'GET', `${url}?x=1`)).statusCode, 422)
  for (const limit of [1, 100])
    t.equal((await send(app, 'GET', `/documents?limit=${limit}`)).statusCode, 200)
  const cursor = await send(app, 'GET', '/documents?cursor=x')
  t.match(cursor.json(), { status: 422, errors: [{ pointer: '/cursor' }] })
})

t.test('the feed gives a client what it needs to follow', async (t) => {
  const app = await build(t)
  const { url, etag } = await create(app)
  const gone = await create(app)
  await send(app, 'DELETE', gone.url, undefined, { 'if-match': gone.etag })
  const first = await send(app, 'GET', '/documents/changes?limit=1')
  t.same(first.json().items, [
    { id: url.slice(11), deleted: false, etag, document: (await send(app, 'GET', url)).json() }
  ])
  const { next } = first.json()
  t.equal(first.headers.link, `<${publicUrl}/documents/changes?limit=1&since=${next}>; rel="next"`)
  const rest = await send(app, 'GET', `/documents/changes?since=${next}`)
  t.match(rest.json(), { items: [{ id: gone.url.slice(11), deleted: true }] })
  t.same(Object.keys(rest.json().items[0]), ['id', 'deleted', 'deletedAt'])
  t.notOk(rest.headers.link)
  t.type(rest.json().next, 'string')
})

t.test('an empty cursor reads from the beginning, as none does', async (t) => {
  const app = await build(t)
  for (let count = 0; count < 2; count++) await create(app)
  for (const [path, name] of [
    ['/documents', 'cursor'],
    ['/documents/changes', 'since']
  ]) {
    const none = await send(app, 'GET', `${path}?limit=1`)
    const empty = await send(app, 'GET', `${path}?limit=1&${name}=`)
    t.equal(empty.statusCode, 200)
    t.equal(empty.body, none.body)
    t.equal(empty.headers.link, none.headers.link)
  }
})

t.test('IDEM-1, IDEM-5: the key is one structured-field string', async (t) => {
  const app = await build(t)
  const bad = ['bare', '""', '"a", "b"', `"${'k'.repeat(256)}"`, `"${'k'.repeat(10_000)}"`, '"ä"']
  for (const key of bad) {
    const headers = { 'idempotency-key': key }
    const response = await send(app, 'POST', '/documents', { data: {} }, headers)
    t.equal(response.statusCode, 400, key.slice(0, 20))
    t.match(response.json(), { detail: /Idempotency-Key/ })
  }
  t.same((await send(app, 'GET', '/documents')).json(), { items: [] })
})

t.test('IDEM-2, IDEM-3: a repetition gets the first answer, another body 422', async (t) => {
  const app = await build(t)
  const headers = { 'idempotency-key': `"${'\\"'.repeat(255)}"` }
  const post = (data: object) => send(app, 'POST', '/documents', { data }, headers)
  const first = await post({ a: 1 })
  const again = await post({ a: 1 })
  t.equal(again.statusCode, 201)
  t.equal(again.body, first.body)
  for (const field of ['etag', 'location', 'cache-control'])
    t.equal(again.headers[field], first.headers[field])
  const other = await post({ a: 2 })
  t.match(other.json(), { type: 'urn:latchkey:problem:idempotency-key-reused', status: 422 })
  t.equal((await send(app, 'GET', '/documents')).json().items.length, 1)
})

t.test('IDEM-2: of twins on two connections one creates, the other is told to wait', async (t) => {
  const app = await build(t)
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  const headers = { 'content-type': 'application/json', 'idempotency-key': '"twins"' }
  const post = () => fetch(`${origin}/documents`, { method: 'POST', headers, body: '{"data":{}}' })
  const responses = await Promise.all([post(), post()])
  const statuses = responses.map(({ status }) => status)
  t.ok(statuses.includes(201))
  t.ok(statuses.every((status) => status === 201 || status === 409))
  await Promise.all(responses.map((response) => response.arrayBuffer()))
  t.equal((await send(app, 'GET', '/documents')).json().items.length, 1)
})

t.test('HTTP-15: of two parallel PUTs with one ETag one wins', async (t) => {
  const app = await build(t)
  const { url, etag } = await create(app)
  const put = (by: number) => send(app, 'PUT', url, { data: { by } }, { 'if-match': etag })
  const statuses = (await Promise.all([put(1), put(2)])).map(({ statusCode }) => statusCode)
  t.same(new Set(statuses), new Set([200, 412]))
})

t.test('IDEM-7: a refusal at the quota is not kept under the key', async (t) => {
  const app = await build(t, { documentsPerOwner: 1 })
  const { url, etag } = await create(app)
  const headers = { 'idempotency-key': '"later"' }
  const post = () => send(app, 'POST', '/documents', { data: {} }, headers)
  t.equal((await post()).statusCode, 403)
  await send(app, 'DELETE', url, undefined, { 'if-match': etag })
  t.equal((await post()).statusCode, 201)
})

t.test('OWASP-6: answers 403 at the quota', async (t) => {
  const app = await build(t, { documentsPerOwner: 1 })
  await create(app)
  const refused = await send(app, 'POST', '/documents', { data: {} })
  t.match(refused.json(), { status: 403, type: 'urn:latchkey:problem:quota-exceeded' })
})
