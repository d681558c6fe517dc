import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { problemKinds } from '../../src/http/problem.ts'
import { checkNames } from '../../src/issuer/issuer-options.ts'

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'examples/mcp-server/README.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name))
].map((path) => ({ path, text: readFileSync(path, 'utf8') }))

t.test(
  'PROB-3: docs/problems.md describes every kind of problem with its status, and no other',
  async (t) => {
    const rows = readFileSync('docs/problems.md', 'utf8').matchAll(
      /^\| `([a-z-]+)` \| (\d{3}) \|/gm
    )
    const described = Object.fromEntries(
      [...rows].map(([, kind, status]) => [kind, Number(status)])
    )
    const known = Object.fromEntries(
      Object.entries(problemKinds).map(([kind, { status }]) => [kind, status])
    )
    t.strictSame(described, known)
  }
)

t.test('every link between the pages leads to a file, and to a heading in it', async (t) => {
  for (const { path, text } of pages) {
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [file = '', heading] = target.split('#')
      const found = file === '' ? path : join(dirname(path), file)
      t.ok(existsSync(found), `${path}: ${target}`)
      if (heading !== undefined) t.ok(headingsOf(found).includes(heading), `${path}: ${target}`)
    }
  }
})

t.test('the README names every option of an issuer, and has a link to every page', async (t) => {
  const readme = readFileSync('README.md', 'utf8')
  const rows = readme.split('\n').filter((line) => line.startsWith('| `'))
  for (const name of optionNames())
    t.ok(
      rows.some((row) => row.includes(`\`${name}\``)),
      name
    )
  for (const name of readdirSync('docs'))
    t.ok(readme.slice(readme.indexOf('## Read on')).includes(`](docs/${name}`), name)
})

t.test('every configuration in the pages is one that the service takes', async (t) => {
  for (const { path, text } of pages) {
    for (const [, json = ''] of text.matchAll(/^```json\n(.+?)^```$/gms)) {
      const example = JSON.parse(json)
      if ('type' in example) continue // a problem document
      t.doesNotThrow(() => loadConfig({ LATCHKEY_CONFIG: path }, readerOf(example)), json)
    }
  }
})

/** Some examples are an entry of `issuers`, or a part of one. */
function readerOf(example: object): (path: string) => string {
  const whole = { issuer: 'https://id.example.com', audience: 'https://api.example.com' }
  const config = 'issuers' in example ? example : { issuers: [{ ...whole, ...example }] }
  return () => JSON.stringify(config)
}

/** As the refusal of a mistyped name lists them. */
function optionNames(): string[] {
  try {
    checkNames({ mistyped: true })
  } catch (error) {
    return (error as Error).message.replace(/^.* allowed: /, '').split(', ')
  }
  return []
}

/** The anchors of a page, as GitHub makes them. */
function headingsOf(path: string): string[] {
  const headings = readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm)
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-')
  )
}
