import t from 'tap'
import { parseChallenges } from './challenge.ts'

void t.test('reads schemes, tokens, quoted strings and escapes', async (t) => {
  t.strictSame(
    parseChallenges(
      'Bearer realm="a, \\"b\\"", error="invalid_token", max_age=5, DPoP algs="ES256"'
    ),
    [
      { scheme: 'Bearer', params: { realm: 'a, "b"', error: 'invalid_token', max_age: '5' } },
      { scheme: 'DPoP', params: { algs: 'ES256' } }
    ]
  )
})

void t.test('reads several field lines, and none', async (t) => {
  t.strictSame(parseChallenges(['Bearer realm="a"', 'DPoP Algs="ES256"']), [
    { scheme: 'Bearer', params: { realm: 'a' } },
    { scheme: 'DPoP', params: { algs: 'ES256' } }
  ])
  t.strictSame(parseChallenges(undefined), [])
  t.strictSame(parseChallenges(null), [])
})

const wrong = {
  'an empty field': '',
  'a bare scheme': 'Bearer',
  token68: 'Basic dGVzdA==',
  'a parameter twice': 'Bearer realm="a", REALM="b"',
  'an empty element': 'Bearer realm="a",, scope="b"',
  'a comma at the end': 'Bearer realm="a",',
  'no comma': 'Bearer realm="a" scope="b"',
  'blanks around =': 'Bearer realm = "a"',
  'an open string': 'Bearer realm="a',
  'a quote inside': 'Bearer realm="a"b"',
  'a line break': 'Bearer realm="a\r\nb"',
  'a letter beyond ASCII': 'Bearer realm="é"',
  'an unquoted value with a blank': 'Bearer scope=a b',
  'an escaped quote in the description': 'Bearer error_description="a \\"b\\""',
  'two blanks between scopes': 'Bearer scope="a  b"',
  'an empty scope': 'Bearer scope=""'
}
for (const [name, value] of Object.entries(wrong))
  void t.test(`refuses ${name}`, async (t) => t.throws(() => parseChallenges(value), SyntaxError))
