import t from 'tap'
import { loadConfig } from '../../../src/config/load.ts'
import { publicUrlOf } from '../../../src/config/public-url.ts'

const issuer = { OIDC_ISSUER: 'https://id.example.com', OIDC_AUDIENCE: 'a' }

for (const [host, url] of Object.entries({
  '127.0.0.1': 'http://127.0.0.1:4000',
  'api.local': 'http://api.local:4000',
  '0.0.0.0': 'http://127.0.0.1:4000',
  '::': 'http://[::1]:4000',
  'fd00::5': 'http://[fd00::5]:4000'
}))
  t.test(`clients call a service on ${host} at ${url}`, async (t) => {
    t.equal(publicUrlOf(loadConfig({ ...issuer, HOST: host }, String), 4000), url)
  })

t.test('PUBLIC_URL wins over the address', async (t) => {
  const config = loadConfig({ ...issuer, PUBLIC_URL: 'https://api.example.com/v1' }, String)
  t.equal(publicUrlOf(config, 4000), 'https://api.example.com/v1')
})
