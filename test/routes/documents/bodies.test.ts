import { Readable } from 'node:stream'
import t from 'tap'
import { limits } from '../../../src/documents/document.ts'
import { build, create, send } from './app.ts'

const unknownId = '01994f3a-7c11-7d2e-9b7a-0c4f5d1e2a3b'

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
    t.match(response.headers, { accept: right, 'cache-control': 'no-store' })
  }
  const parameters = { 'content-type': 'Application/JSON; charset=UTF-8' }
  t.equal((await send(app, 'POST', '/documents', '{"data":{}}', parameters)).statusCode, 201)
})

t.test('takes a document whose length is not known beforehand', async (t) => {
  const app = await build(t)
  const payload = Readable.from(['{"data":', '{"a":1}}'])
  const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
  const response = await app.inject({ method: 'POST', url: '/documents', headers, payload })
  t.equal(response.statusCode, 201)
  t.same(response.json().data, { a: 1 })
})

t.test('HTTP-12: a content coding is refused as one, not as malformed JSON', async (t) => {
  const app = await build(t)
  const { url, etag } = await create(app)
  for (const method of ['POST', 'PUT', 'PATCH'] as const)
    for (const coding of ['gzip', 'br', 'gzip, identity', 'x'.repeat(10_000)]) {
      const headers = { 'content-encoding': coding, 'if-match': etag }
      const path = method === 'POST' ? '/documents' : url
      const refused = await send(app, method, path, '{"data":{}}', headers)
      t.equal(refused.statusCode, 415, `${method} ${coding.slice(0, 20)}`)
      t.equal(refused.headers['accept-encoding'], 'identity')
      t.notOk(refused.headers['accept'])
      t.match(refused.json(), { detail: /content coding/ })
    }
  for (const coding of ['identity', ' Identity ', '']) {
    const headers = { 'content-encoding': coding }
    t.equal((await send(app, 'POST', '/documents', '{"data":{}}', headers)).statusCode, 201)
  }
})

t.test('HTTP-12: a request without a body is not refused for a media type', async (t) => {
  const app = await build(t)
  for (const type of ['text/plain', 'application/json', 'application/x-www-form-urlencoded', 'no'])
    for (const length of [{}, { 'content-length': '0' }]) {
      const headers = { 'content-type': type, ...length }
      const { url, etag } = await create(app)
      t.equal((await send(app, 'GET', url, undefined, headers)).statusCode, 200, `GET ${type}`)
      for (const method of ['PUT', 'PATCH', 'POST'] as const) {
        const path = method === 'POST' ? '/documents' : url
        const refused = await send(app, method, path, undefined, { ...headers, 'if-match': etag })
        t.match(refused.json(), { status: 400, detail: 'The body is empty.' }, `${method} ${type}`)
      }
      const deleted = await send(app, 'DELETE', url, undefined, { ...headers, 'if-match': etag })
      t.equal(deleted.statusCode, 204, `DELETE ${type}`)
    }
  const { url, etag } = await create(app)
  const text = { 'content-type': 'text/plain', 'if-match': etag }
  t.equal((await send(app, 'DELETE', url, 'x', text)).statusCode, 415, 'one with a body is')
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
  'data nested far too deep': [`{"data":${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}}`, 422],
  'a result that is too large': [`{"data":{"b":"${'x'.repeat(limits.dataBytes - 20)}"}}`, 422]
}

for (const [name, [body, status]] of Object.entries(refusedPatches)) {
  t.test(
    `PATCH-4, PATCH-5, PATCH-6, PATCH-7, PATCH-8: refuses ${name}, and changes nothing`,
    async (t) => {
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
    }
  )
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
    '{"a":"9007199254740993 0.12345678901234567891 1e-400"}'
  ]
  for (const data of datas) {
    const response = await send(app, 'POST', '/documents', `{"data":${data}}`)
    t.equal(response.statusCode, 201)
    const expected = data.replace('1e300', '1e+300')
    t.ok(response.body.includes(`"data":${expected},`))
  }
})

t.test(
  'takes data up to its bound however it is escaped, and tells the limit of bodies',
  async (t) => {
    const app = await build(t)
    for (const character of ['ä', '€', '🗝']) {
      const bytes = limits.dataBytes - '{"a":""}'.length
      const text = character.repeat(Math.floor(bytes / Buffer.byteLength(character)))
      const escaped = JSON.stringify({ data: { a: text } }).replace(
        /[^ -~]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
      )
      const response = await send(app, 'POST', '/documents', escaped)
      t.equal(response.statusCode, 201, character)
      t.equal(response.json().data.a, text)
    }
    const refused = await send(app, 'POST', '/documents', ' '.repeat(limits.bodyBytes + 1))
    t.match(refused.json(), { status: 413, detail: `The body may have ${limits.bodyBytes} bytes.` })
  }
)

t.test('PROB-5: refuses numbers whose value would change, and says which', async (t) => {
  const app = await build(t)
  const changed = [
    '9007199254740993',
    '-9007199254740993',
    '9007199254740993.0',
    '123456789012345678e0',
    '1234567890123456.78e2',
    '12345678901234567168',
    '60573867052005216',
    '0.12345678901234567891',
    '0.30000000000000001',
    '1e-400',
    `0.${'0'.repeat(400)}1`
  ]
  for (const number of changed) {
    const refused = await send(app, 'POST', '/documents', `{"data":{"a":[1,${number}]}}`)
    t.equal(refused.statusCode, 422, number)
    const { detail, errors } = refused.json()
    t.ok(detail.startsWith(`${number.slice(0, 40)} would become`))
    t.same(errors, [{ detail, pointer: '/data' }])
  }
  const long = `0.1${'0'.repeat(limits.dataBytes)}1`
  const refused = await send(app, 'POST', '/documents', `{"data":{"a":${long}}}`)
  t.equal(refused.statusCode, 422)
  t.ok(refused.body.length < 500)
})

const keptNumbers: Readonly<Record<string, string>> = {
  '-0': '0',
  '0e-400': '0',
  '0.0000000000000000000': '0',
  '9007199254740992.0': '9007199254740992',
  '1234567890123456.00e1': '12345678901234560',
  '1.0000000000000000000e2': '100',
  '1E-0000000000000007': '1e-7',
  '0.10000000000000001': '0.1',
  '0.30000000000000004': '0.30000000000000004',
  '9.9999999999999992e+22': '1e+23',
  '1.5777487760936562e+15': '1577748776093656.2',
  '4.9406564584124654e-324': '5e-324',
  '1.7976931348623157e+308': '1.7976931348623157e+308'
}

t.test('takes numbers in any form that says a double, 17 digits included', async (t) => {
  const app = await build(t)
  for (const [number, written] of Object.entries(keptNumbers)) {
    const response = await send(app, 'POST', '/documents', `{"data":{"a":${number}}}`)
    t.equal(response.statusCode, 201, number)
    t.ok(response.body.includes(`"data":{"a":${written}}`), number)
  }
})

function nested(levels: number): object {
  return levels === 1 ? {} : { a: nested(levels - 1) }
}
