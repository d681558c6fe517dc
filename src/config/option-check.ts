/**
 * Stops the start for a wrong option, with one line.
 * @param found shown as JSON: never a secret
 * @throws {TypeError} that names the option, what was found and what is allowed
 */
export function check(
  condition: boolean,
  name: string,
  found: unknown,
  allowed: string
): asserts condition {
  if (!condition) throw wrongValue(name, found, allowed)
}

/** Whether a value is a text that says something. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** Whether a value is a list of one or more entries that all are so. */
export function isListOf<Entry>(
  value: unknown,
  isEntry: (entry: unknown) => entry is Entry
): value is readonly Entry[] {
  return Array.isArray(value) && value.length > 0 && value.every(isEntry)
}

/** Whether a value is a list of one or more of these. */
export function isListFrom<Entry>(
  value: unknown,
  entries: readonly Entry[]
): value is readonly Entry[] {
  return isListOf(value, (entry): entry is Entry => entries.includes(entry as Entry))
}

/** The error that {@link check} throws. */
export function wrongValue(name: string, found: unknown, allowed: string): TypeError {
  return wrongOption(name, JSON.stringify(found) ?? 'nothing', allowed)
}

/** The error for a wrong option; `found` says in words what {@link check} shows as JSON. */
export function wrongOption(
  name: string,
  found: string,
  allowed: string,
  options?: ErrorOptions
): TypeError {
  return new TypeError(`${name}: found ${found}, allowed: ${allowed}`, options)
}
