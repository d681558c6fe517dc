/** Levels of nesting; claims such as `address` have two (OpenID Connect Core 1.0 section 5.1.1). */
export const maxDepth = 32

/** Whether a value is nested in more levels than that: writing it as JSON again would exhaust the stack. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1))
}
