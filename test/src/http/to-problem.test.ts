import t from 'tap'
import { ProblemError, problemKinds } from '../../../src/http/problem.ts'
import type { ProblemKind } from '../../../src/http/problem.ts'
import { toProblem } from '../../../src/http/to-problem.ts'

const request = { id: 'r-1', method: 'POST', accepts: ['application/json'], bodyLimit: 1024 }

t.test('PROB-2, PROB-4: every kind has its own type, its status and its fixed title', async (t) => {
  for (const kind of Object.keys(problemKinds) as ProblemKind[]) {
    const { status, body } = toProblem(new ProblemError(kind), request)
    t.same(body, {
      type: `urn:latchkey:problem:${kind}`,
      title: problemKinds[kind].title,
      status,
      instance: 'r-1'
    })
  }
})

t.test(
  'HTTP-1, PROB-1: nothing a problem carries can change its type or have it stored',
  async (t) => {
    const headers = { 'cache-control': 'public', 'content-type': 'text/html', 'Retry-After': '9' }
    const answer = toProblem(new ProblemError('service-unavailable', { headers }), request)
    t.same(answer.headers, {
      'cache-control': 'no-store',
      'content-type': 'application/problem+json',
      'Retry-After': '9'
    })
  }
)

t.test('PROB-7: nothing of an unknown error is told', async (t) => {
  const secret = 'relation "x" does not exist at 10.0.0.5'
  const errors = [
    new Error(secret),
    Object.assign(new Error(secret), { statusCode: 500, code: 'XX000' }),
    Object.assign(new Error(secret), { statusCode: 418 }),
    Object.assign(new Error(secret), { statusCode: 404, headers: { 'x-secret': secret } }),
    secret,
    null,
    undefined
  ]
  const statuses = errors.map((error) => {
    const answer = toProblem(error, request)
    t.notMatch(JSON.stringify(answer), /relation|10\.0/)
    return answer.status
  })
  t.same(statuses, [500, 500, 400, 404, 500, 500, 500])
})

t.test('HTTP-12: 415 names what the route reads, for PATCH twice', async (t) => {
  const error = { code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', statusCode: 415 }
  const accepts = ['application/merge-patch+json', 'application/json']
  const patch = toProblem(error, { ...request, method: 'PATCH', accepts })
  t.equal(patch.status, 415)
  t.match(patch.headers, { accept: accepts.join(', '), 'accept-patch': accepts.join(', ') })
  t.equal(patch.body.detail, 'Send the body as application/merge-patch+json or application/json.')
  const post = toProblem(error, request)
  t.equal(post.headers['accept'], 'application/json')
  t.notOk('accept-patch' in post.headers)
})

t.test('413 for a body that is too large tells the limit', async (t) => {
  const { status, body } = toProblem({ code: 'FST_ERR_CTP_BODY_TOO_LARGE' }, request)
  t.equal(status, 413)
  t.equal(body.detail, 'The body may have 1024 bytes.')
})

t.test('PROB-5: a validation fault says what is wrong where', async (t) => {
  const faults = [
    { instancePath: '/data', message: 'must be object', params: {} },
    { instancePath: '', message: 'is required', params: { missingProperty: 'a/b~c' } },
    { instancePath: '/x', message: 'is too much', params: { additionalProperty: 'owner' } }
  ]
  const answer = toProblem({ validation: faults, validationContext: 'body' }, request)
  t.equal(answer.status, 422)
  t.match(answer.body.detail, /^The body /)
  t.same(answer.body.errors, [
    { detail: 'must be object', pointer: '/data' },
    { detail: 'is required', pointer: '/a~1b~0c' },
    { detail: 'is too much', pointer: '/x/owner' }
  ])
})
