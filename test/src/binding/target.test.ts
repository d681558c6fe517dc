import t from 'tap'
import { normalizedTarget, targetOf } from '../../../src/binding/target.ts'

const base = 'https://api.example.com'

t.test('DPOP-10: URLs that name one target become one text', async (t) => {
  for (const same of [
    'https://api.example.com/~a/B',
    'HTTPS://API.EXAMPLE.COM/~a/B',
    'https://api.example.com:443/~a/B',
    'https://api.example.com/%7Ea/%42',
    'https://api.example.com/%7ea/B?x=1#y',
    'https://api.example.com/c/../~a/./B'
  ])
    t.equal(normalizedTarget(same), 'https://api.example.com/~a/B', same)
  t.equal(normalizedTarget('https://h'), 'https://h/')
  t.equal(
    normalizedTarget('https://h/a%2fb%c3%a9'),
    'https://h/a%2Fb%C3%A9',
    'what is reserved stays'
  )
})

t.test('DPOP-10: URLs that name other targets do not', async (t) => {
  for (const other of [
    'https://h/A',
    'http://h/a',
    'https://h:8/a',
    'https://h/a/',
    'https://h/a%2F'
  ])
    t.not(normalizedTarget(other), normalizedTarget('https://h/a'), other)
  for (const none of ['', '/a', 'h/a', 'ftp://h/a', 'urn:a', 'javascript:x', 'https://'])
    t.equal(normalizedTarget(none), undefined, none)
})

t.test('DPOP-9: the target is the public URL and the path of the request', async (t) => {
  t.equal(targetOf(base, '/a?b=c'), `${base}/a`)
  t.equal(targetOf(`${base}/v1`, '/a'), `${base}/v1/a`)
  t.equal(targetOf(`${base}/`, '/a'), `${base}/a`)
  t.equal(targetOf(base, '//evil.example/a'), `${base}//evil.example/a`)
  t.equal(targetOf(base, 'http://evil.example/a'), `${base}/a`, 'the absolute form')
  for (const none of ['http://evil.example?/a', 'http://evil.example', '*', '@evil.example/a', ''])
    t.equal(targetOf(base, none), undefined, none)
})
