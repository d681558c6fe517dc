import t from 'tap'
import Fastify from 'fastify'
import { loadConfig } from '../../src/config/load.ts'
import { reloadOnHangup } from '../../src/reload.ts'
import { until } from '../support/until.ts'

t.test('settings that can not even be shown do not end a service that runs', async (t) => {
  const lines: string[] = []
  const app = Fastify({ logger: { stream: { write: (line) => void lines.push(line) } } })
  t.teardown(() => app.close())
  t.teardown(() => process.removeAllListeners('SIGHUP'))
  const nested = `{"issuers":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
  const load = () => loadConfig({ LATCHKEY_CONFIG: '/etc/latchkey.json' }, () => nested)
  reloadOnHangup(
    app,
    loadConfig({}, () => ''),
    load
  )
  process.kill(process.pid, 'SIGHUP')
  await until(() => lines.some((line) => line.includes('settings not taken')))
})
