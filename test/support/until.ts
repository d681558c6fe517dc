import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits until a condition holds, looking every 20 ms.
 * @throws {Error} if it still does not after `patience` milliseconds
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  patience = 10_000
): Promise<void> {
  const end = performance.now() + patience
  while (!(await condition())) {
    if (performance.now() > end)
      throw new Error(`Not so after ${patience} ms: ${String(condition)}`)
    await sleep(20)
  }
}
