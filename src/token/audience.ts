/** Whether an `aud` names one of these (RFC 7519 section 4.1.3), alone or in a list; says nothing of its other names. */
export function namesOneOf(names: ReadonlySet<string>, aud: unknown): boolean {
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  return named.some((name) => names.has(name as string))
}
