import t from 'tap'
import type { Test } from 'tap'
import { loadConfig } from '../../../src/config/load.ts'
import type { Config } from '../../../src/config/schema.ts'
import { publicUrlOf } from '../../../src/config/public-url.ts'
import { appUnderTest } from '../../support/app.ts'

const issuer = { OIDC_ISSUER: 'https://id.example.com', OIDC_AUDIENCE: 'a' }

for (const [host, url] of Object.entries({
  '127.0.0.1': 'http://127.0.0.1:4000',
  'api.local': 'http://api.local:4000',
  '0.0.0.0': 'http://127.0.0.1:4000',
  '::': 'http://[::1]:4000',
  '0': 'http://127.0.0.1:4000',
  '0:0::0': 'http://[::1]:4000',
  'fd00::5': 'http://[fd00::5]:4000'
}))
  t.test(`clients call a service on ${host} at ${url}`, async (t) => {
    t.equal(publicUrlOf(loadConfig({ ...issuer, HOST: host }, String), 4000), url)
  })

t.test('PUBLIC_URL wins over the address', async (t) => {
  const config = loadConfig({ ...issuer, PUBLIC_URL: 'https://api.example.com/v1' }, String)
  t.equal(publicUrlOf(config, 4000), 'https://api.example.com/v1')
})

/** What the service logs of its own address while it is built. */
async function warningsFor(t: Test, settings: Partial<Config>) {
  const { log } = await appUnderTest(t, settings)
  return log.map((line) => JSON.parse(line)).filter(({ msg }) => msg.includes('PUBLIC_URL'))
}

t.test('a service on all addresses warns once that its own URL is not known', async (t) => {
  const spelled = ['0', '0.0', '0x0', '00.0.0.0', '::0', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0']
  for (const host of ['0.0.0.0', '::', ...spelled])
    t.match(await warningsFor(t, { host }), [{ level: 40, host, msg: /^set PUBLIC_URL: / }], host)
  t.same(await warningsFor(t, { host: '0.0.0.0', publicUrl: 'https://api.example.com' }), [])
  t.same(await warningsFor(t, { host: '127.0.0.1' }), [])
})
