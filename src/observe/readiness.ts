import { setTimeout as delay } from 'node:timers/promises'

/** What must hold before the service can do its work, by a name that clients are told. A check never throws. */
export type Checks = Readonly<Record<string, () => boolean | Promise<boolean>>>

/** Asks every check. One that takes longer than two seconds does not hold. */
export async function readChecks(checks: Checks): Promise<Readonly<Record<string, boolean>>> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await holds(check)] as const)
  )
  return Object.fromEntries(results)
}

async function holds(check: Checks[string]): Promise<boolean> {
  const deadline = new AbortController()
  try {
    return await Promise.race([check(), delay(2000, false, { signal: deadline.signal })])
  } finally {
    deadline.abort()
  }
}
