import { connect } from './client.ts'

const [address = 'http://127.0.0.1:4000/mcp', text = 'Buy milk'] = process.argv.slice(2)

const notes = await connect(new URL(address), ({ href }) => {
  console.log(`Sign in with your browser:\n\n  ${href}\n`)
})
console.log(await notes.call('list_notes'))
console.log(await notes.call('add_note', { text }))
console.log(await notes.call('list_notes'))
await notes.close()
