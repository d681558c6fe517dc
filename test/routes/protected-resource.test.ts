import t from 'tap'
import { appUnderTest } from '../support/app.ts'

const path = '/.well-known/oauth-protected-resource'

t.test('PRM-1: the metadata is public JSON that may be kept for a while', async (t) => {
  const { app } = await appUnderTest(t, { publicUrl: 'https://api.example.com' })
  const answer = await app.inject(path)
  t.equal(answer.statusCode, 200)
  t.match(answer.headers['content-type'], /^application\/json/)
  t.equal(answer.headers['cache-control'], 'public, max-age=3600')
  t.match(answer.json(), {
    resource: 'https://api.example.com',
    authorization_servers: ['http://127.0.0.1:9'],
    bearer_methods_supported: ['header'],
    resource_name: 'Latchkey'
  })
})

t.test(
  'PRM-1, PRM-2: a public URL with a path has its metadata at the inserted path too',
  async (t) => {
    const { app } = await appUnderTest(t, { publicUrl: 'https://h.example/api/v1' })
    for (const url of [path, `${path}/api/v1`]) {
      const answer = await app.inject(url)
      t.equal(answer.json().resource, 'https://h.example/api/v1')
    }
    t.equal((await app.inject(`${path}/other`)).statusCode, 404)
  }
)

t.test(
  'PRM-2: without PUBLIC_URL the resource is the address listened on, never the Host field',
  async (t) => {
    const { app } = await appUnderTest(t)
    const origin = await app.listen({ host: '127.0.0.1', port: 0 })
    const answer = await app.inject({ url: path, headers: { host: 'evil.example' } })
    t.equal(answer.json().resource, origin)
  }
)
