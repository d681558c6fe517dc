import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../../src/config/load.ts'
import { readUtf8 } from '../../../src/config/option-file.ts'

t.test('a file of settings may begin with a byte order mark', async (t) => {
  const folder = t.testdir({ 'latchkey.json': '\uFEFF{ "port": 4000 }' })
  const { port } = loadConfig({ LATCHKEY_CONFIG: join(folder, 'latchkey.json') }, readUtf8)
  t.equal(port, 4000)
})
