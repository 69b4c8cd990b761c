import t from 'tap'
import { withoutAllThreads } from '../support/fork'
import { answersFor, hazardLines } from '../support/hazards'

const skip = withoutAllThreads
const serving = `
  const { createServer, connect } = require('node:net')
  const server = createServer().listen(0, () => {
    const client = connect(server.address().port)
    server.once('connection', async (accepted) => { await look(); client.destroy(); accepted.destroy(); server.close() })
  })
`

t.test('a listening socket and both ends of a connection are told by number and address', { skip }, async (t) => {
  const lines = await hazardLines(`${serving}
    const look = async () => {
      const { severity, detail } = told('shared-sockets')
      say(severity, detail.includes('3 sockets'), detail.includes('listening'), detail.includes(server._handle.fd + ' (socket:['))
    }`)
  t.same(lines, [['notice', true, true, true]])
})

t.test('what both have for themselves isn’t shared: pairs within the process, and closed ones', { skip }, async (t) => {
  const lines = await hazardLines(`
    say(told('shared-sockets').severity)
    ${serving}
    const look = async () => server.on('close', () => say(told('shared-sockets').severity))`)
  t.same(lines, [['none'], ['none']])
})

t.test('it never refuses, and parent and child both go on', { skip }, async (t) => {
  const lines = await hazardLines(`${serving} const look = async () => say(...(await answers('shared-sockets')))`)
  t.same(lines, [answersFor('shared-sockets', 'notice')])
})
