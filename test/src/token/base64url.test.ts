import * as fc from 'fast-check'
import t from 'tap'
import { decodeBase64url } from '../../../src/token/base64url.ts'

const into = Buffer.alloc(64)

void t.test('JWS-2: whatever is base64url without padding is decoded', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (octets) => {
      const length = decodeBase64url(Buffer.from(octets).toString('base64url'), into)
      return length === octets.length && into.subarray(0, length).equals(octets)
    })
  )
  t.end()
})

void t.test('JWS-2: nothing else is', (t) => {
  const text = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((octets) => {
    return Buffer.from(octets).toString('base64url')
  })
  const isOther = (character: string) => !/^[\w-]$/.test(character)
  const strangers = fc.oneof(
    fc.constantFrom(...'+/=. \t\r\n\0!*%~\u0141\u017F\u212A\uFF21\uFEFF\u00AD'.split('')),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })
  )
  fc.assert(
    fc.property(text, strangers.filter(isOther), fc.nat(), (text, stranger, at) => {
      const place = at % (text.length + 1)
      const put = text.slice(0, place) + stranger + text.slice(place)
      const instead = text.slice(0, place) + stranger + text.slice(place + 1)
      return [put, instead].every((wrong) => decodeBase64url(wrong, into) === undefined)
    }),
    { numRuns: 5000 }
  )
  t.end()
})

void t.test('what does not fit is not cut', (t) => {
  t.equal(decodeBase64url('A'.repeat(88), into), undefined)
  t.equal(decodeBase64url('A'.repeat(84), into), 63)
  t.equal(decodeBase64url('', into), 0)
  t.end()
})
