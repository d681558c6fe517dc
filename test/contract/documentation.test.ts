import { readFileSync } from 'node:fs'
import t from 'tap'
import { problemKinds } from '../../src/http/problem.ts'

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
