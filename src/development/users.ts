/** The people who can sign in at the development issuer, by subject, with their standard claims (OIDC Core section 5.1). */
export const developmentUsers: ReadonlyMap<string, Readonly<Record<string, unknown>>> = new Map([
  ['ada', person('Ada', 'Lovelace', 'ada@example.com')],
  ['grace', person('Grace', 'Hopper', 'grace@example.com')]
])

/** The one of them who gets the scopes of administrators. */
export const administrator = 'ada'

/** The claims that each scope opens (OIDC Core section 5.4). */
export const claimsOfScope = {
  openid: ['sub'],
  profile: ['name', 'given_name', 'family_name', 'preferred_username'],
  email: ['email', 'email_verified']
} as const

/** The scopes of OpenID Connect that a user's token may carry beside those of the API. */
export const userScopes = Object.keys(claimsOfScope)

/** The claims of a user that the given scopes open, `sub` included; undefined if nobody has that subject. */
export function claimsOf(
  subject: string,
  scopes: readonly string[]
): Record<string, unknown> | undefined {
  const user = developmentUsers.get(subject)
  if (user === undefined) return undefined
  const open = new Set<string>(
    Object.entries(claimsOfScope).flatMap(([scope, names]) => (scopes.includes(scope) ? names : []))
  )
  const opened = Object.entries(user).filter(([name]) => open.has(name))
  return { sub: subject, ...Object.fromEntries(opened) }
}

function person(givenName: string, familyName: string, email: string): Record<string, unknown> {
  return {
    name: `${givenName} ${familyName}`,
    given_name: givenName,
    family_name: familyName,
    preferred_username: givenName.toLowerCase(),
    email,
    email_verified: true
  }
}
