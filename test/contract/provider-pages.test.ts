import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { presetNames } from '../../src/issuer/presets.ts'
import { createTrustedIssuers } from '../../src/issuer/trusted-issuers.ts'
import { refusals } from '../../src/token/refusal.ts'

const folder = 'docs/providers'
const pages = readdirSync(folder)
  .filter((name) => name !== 'README.md')
  .map((name) => ({ name, text: readFileSync(`${folder}/${name}`, 'utf8') }))

t.test('every preset has a page, and the table of pages names each', async (t) => {
  t.same(pages.map(({ name }) => name).sort(), presetNames.map((name) => `${name}.md`).sort())
  const rows = readFileSync(`${folder}/README.md`, 'utf8').matchAll(
    /^\| `(\w+)` \| \[.+\]\((\S+)\)/gm
  )
  t.same(
    [...rows].map(([, preset, page]) => [preset, page]),
    presetNames.map((name) => [name, `${name}.md`])
  )
})

function load(json: string) {
  return loadConfig({ LATCHKEY_CONFIG: 'page.json' }, () => json)
}

for (const { name, text } of pages) {
  t.test(`the configurations in ${name} start`, async (t) => {
    const blocks = [...text.matchAll(/^```json\n(.+?)^```$/gms)].map(([, json = '']) => json)
    t.ok(blocks.length > 0)
    for (const json of blocks) {
      const { issuers } = load(json)
      t.ok(
        issuers.every(({ preset }) => `${preset}.md` === name),
        'with the preset of the page'
      )
      const trusted = createTrustedIssuers(issuers, {
        prepare: () => () => true,
        readFile: () => 'a-secret'
      })
      for (const issuer of trusted.values()) await issuer.close()
    }
  })

  t.test(`what ${name} says that Latchkey answers, it can answer`, async (t) => {
    const answers = [...text.matchAll(/^\| (40\d) "(.+?)" \|/gm)]
    t.ok(answers.length >= 3)
    const known = new Set(Object.values(refusals).map(({ description }) => description))
    for (const [, status, description = ''] of answers)
      if (status === '403') t.match(description, /^This operation needs the scope \S+$/)
      else t.ok(known.has(description), description)
  })
}
