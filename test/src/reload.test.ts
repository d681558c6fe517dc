import t from 'tap'
import Fastify from 'fastify'
import { loadConfig } from '../../src/config/load.ts'
import { reloadOnHangup } from '../../src/reload.ts'
import { until } from '../support/until.ts'

t.test(
  'SIGHUP: another log level takes effect at once, for what runs and for requests',
  async (t) => {
    const lines: string[] = []
    const stream = { write: (line: string) => void lines.push(line) }
    const app = Fastify({ logger: { level: 'info', stream } })
    t.teardown(() => app.close())
    t.teardown(() => process.removeAllListeners('SIGHUP'))
    app.get('/', async ({ log }) => log.debug('asked'))
    const read = (level: string) => loadConfig({ LOG_LEVEL: level }, () => '')
    const isLogged = (text: string) => lines.some((line) => line.includes(text))
    await app.inject('/')
    t.notOk(isLogged('asked'))

    reloadOnHangup(app, read('info'), () => read('debug'))
    process.kill(process.pid, 'SIGHUP')
    await until(() => isLogged('settings read again'))
    app.log.debug('running')
    await app.inject('/')
    t.ok(isLogged('running'))
    t.ok(isLogged('asked'))
    t.notOk(isLogged('wait for a restart'))
  }
)

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
