import t from 'tap'
import { limits } from '../../../src/documents/document.ts'
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
      t.equal(foreign.body, none.body)
      t.same(Object.keys(foreign.headers), Object.keys(none.headers))
    }
  })
}

t.test('PUT creates under an id of the client, once', async (t) => {
  const app = await build(t)
  const url = `/documents/${unknownId}`
  const create = { 'if-none-match': '*' }
  const response = await send(app, 'PUT', url, { data: {} }, create)
  t.equal(response.statusCode, 201)
  t.equal(response.headers.location, publicUrl + url)
  t.equal((await send(app, 'PUT', url, { data: {} }, create)).statusCode, 412)
  t.equal((await send(app, 'PUT', url, { data: {} })).statusCode, 428)
  for (const id of ['x', unknownId.toUpperCase(), '00000000-0000-0000-0000-000000000000']) {
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

t.test('HTTP-12, PATCH-1: a wrong media type is told the right one', async (t) => {
  const app = await build(t)
  const { url, etag } = await create(app)
  const cases = [
    ['POST', '/documents', 'application/merge-patch+json', 'accept', 'application/json'],
    ['POST', '/documents', 'text/plain', 'accept', 'application/json'],
    ['PUT', url, 'application/x-www-form-urlencoded', 'accept', 'application/json'],
    ['PATCH', url, 'application/json', 'accept-patch', 'application/merge-patch+json'],
    ['PATCH', url, '', 'accept-patch', 'application/merge-patch+json']
  ] as const
  for (const [method, path, type, field, right] of cases) {
    const headers = { 'content-type': type, 'if-match': etag }
    const response = await send(app, method, path, '{"data":{}}', headers)
    t.equal(response.statusCode, 415, `${method} ${type}`)
    t.equal(response.headers[field], right)
  }
  const parameters = { 'content-type': 'Application/JSON; charset=UTF-8' }
  t.equal((await send(app, 'POST', '/documents', '{"data":{}}', parameters)).statusCode, 201)
})

const merges: readonly (readonly [target: object, patch: object, result: object])[] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{ a: 'foo' }, { a: { b: 1 } }, { a: { b: 1 } }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  [{}, { constructor: { a: 1 }, toString: null }, { constructor: { a: 1 } }]
]

t.test('PATCH-2, PATCH-3: merges as the cases of RFC 7396 appendix A', async (t) => {
  const app = await build(t)
  for (const [target, patch, result] of merges) {
    const { url, etag } = await create(app, { collection: 'notes', data: target })
    const response = await send(app, 'PATCH', url, { data: patch }, { 'if-match': etag })
    t.equal(response.statusCode, 200)
    t.equal(JSON.stringify(response.json().data), JSON.stringify(result))
    t.equal(response.json().collection, 'notes')
  }
  const { url, etag } = await create(app, { collection: 'notes', data: { kept: true } })
  const moved = await send(app, 'PATCH', url, { collection: null }, { 'if-match': etag })
  t.match(moved.json(), { collection: 'default', data: { kept: true } })
})

const refusedPatches: Readonly<Record<string, readonly [body: string, status: number]>> = {
  'an array': ['[]', 422],
  'a string': ['"x"', 422],
  null: ['null', 422],
  'removal of data': ['{"data":null}', 422],
  'data of another type': ['{"data":[1]}', 422],
  'a bad collection': ['{"collection":"Notes"}', 422],
  'a member of the server': ['{"id":"x"}', 422],
  'an unknown member': ['{"role":"admin"}', 422],
  'malformed JSON': ['{"data":', 400],
  'an empty body': ['', 400],
  'malformed UTF-8': ['{"data":{"a":"\xff"}}', 400],
  'a prototype': ['{"data":{"__proto__":{"x":1}}}', 400],
  "a constructor's prototype": ['{"data":{"constructor":{"prototype":{"x":1}}}}', 400],
  'a number beyond doubles': ['{"data":{"a":1e400}}', 422],
  'an integer that would be rounded': ['{"data":{"a":[9007199254740993]}}', 422],
  'a result that is too large': [`{"data":{"b":"${'x'.repeat(limits.dataBytes - 20)}"}}`, 422]
}

for (const [name, [body, status]] of Object.entries(refusedPatches)) {
  t.test(`PATCH-4 to PATCH-8: refuses ${name}, and changes nothing`, async (t) => {
    const app = await build(t)
    const { url, etag } = await create(app, { data: { title: 'a long enough title' } })
    const response = await app.inject({
      method: 'PATCH',
      url,
      headers: { 'content-type': 'application/merge-patch+json', 'if-match': etag },
      payload: Buffer.from(body, 'latin1')
    })
    t.equal(response.statusCode, status)
    const after = await send(app, 'GET', url)
    t.equal(after.headers.etag, etag)
    t.same(after.json().data, { title: 'a long enough title' })
    t.notOk('x' in {})
  })
}

const refusedInputs: Readonly<Record<string, readonly [body: unknown, status: number]>> = {
  'members of the server': [{ data: {}, id: 'x', owner: 'y', createdAt: 'z' }, 422],
  'an unknown member': [{ data: {}, role: 'admin' }, 422],
  'no data': [{}, 422],
  'data that is no object': [{ data: [] }, 422],
  'a collection with capitals': [{ collection: 'Notes', data: {} }, 422],
  'a collection that is no string': [{ collection: 1, data: {} }, 422],
  'data nested too deep': [{ data: nested(limits.dataDepth + 1) }, 422],
  'data nested far too deep': [`{"data":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`, 422],
  'data that is too large': [{ data: { a: 'ä'.repeat(limits.dataBytes / 2) } }, 413],
  'a body that is too large': [{ data: { a: 'a'.repeat(limits.bodyBytes) } }, 413],
  'a body of 2 MB': [{ data: { a: 'a'.repeat(2_000_000) } }, 413]
}

for (const [name, [body, status]] of Object.entries(refusedInputs)) {
  t.test(`OWASP-3, OWASP-4: refuses ${name}`, async (t) => {
    const app = await build(t)
    t.equal((await send(app, 'POST', '/documents', body)).statusCode, status)
    const put = await send(app, 'PUT', `/documents/${unknownId}`, body, { 'if-none-match': '*' })
    t.equal(put.statusCode, status)
    t.same((await send(app, 'GET', '/documents')).json(), { items: [] })
  })
}

t.test('takes data up to its bounds, and numbers that come back as they came', async (t) => {
  const app = await build(t)
  const overhead = '{"a":""}'.length
  const datas = [
    JSON.stringify({ a: 'a'.repeat(limits.dataBytes - overhead) }),
    JSON.stringify(nested(limits.dataDepth)),
    '{"a":[1e300,9007199254740992,-0.1234567890123456,12345678901234567000]}',
    '{"a":"9007199254740993"}'
  ]
  for (const data of datas) {
    const response = await send(app, 'POST', '/documents', `{"data":${data}}`)
    t.equal(response.statusCode, 201)
    const expected = data.replace('1e300', '1e+300')
    t.ok(response.body.includes(`"data":${expected},`))
  }
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

t.test('OWASP-6: answers 403 at the quota', async (t) => {
  const app = await build(t, { documentsPerOwner: 1 })
  await create(app)
  const refused = await send(app, 'POST', '/documents', { data: {} })
  t.match(refused.json(), { status: 403, type: 'urn:latchkey:problem:quota-exceeded' })
})

function nested(levels: number): object {
  return levels === 1 ? {} : { a: nested(levels - 1) }
}
