import t from 'tap'
import { withoutAllThreads } from '../support/fork'
import { answersFor, hazardLines } from '../support/hazards'

const skip = withoutAllThreads
// By a key that both know, which needs no certificate.
const connected = `
  const tls = require('node:tls')
  const key = Buffer.alloc(32, 1)
  const common = { ciphers: 'PSK', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }
  const server = tls.createServer({ ...common, pskCallback: () => key, pskIdentityHint: '' }).listen(0, () => {
    const client = tls.connect({ ...common, port: server.address().port, checkServerIdentity() {}, pskCallback: () => ({ psk: key, identity: 'me' }) })
    server.once('secureConnection', (accepted) => client.once('data', async () => {
      await look(client, accepted)
      client.destroy(); accepted.destroy(); server.close()
    }) && accepted.write('x'))
  })
`

t.test('both ends of a TLS connection are found', { skip }, async (t) => {
  const lines = await hazardLines(`${connected}
    const look = async (client) => {
      const { severity, detail } = told('tls-sessions')
      say(severity, detail.includes('2 TLS connections'), detail.includes(':' + client.remotePort))
    }`)
  t.same(lines, [['notice', true, true]])
})

t.test('once both have written on it the peer ends the connection', { skip }, async (t) => {
  const lines = await hazardLines(`${connected}
    const look = async (client, accepted) => {
      client.on('error', () => {})
      const refused = new Promise((resolve) => accepted.once('error', resolve))
      const pid = fork()
      client.write('x', () => pid === 0 && _exit(0))
      if (pid === 0) return new Promise(() => {})
      ending(pid)
      say((await refused).code)
    }`)
  t.match(lines, [[/^ERR_SSL_/]])
})

t.test('a plain connection is none, even with TLS loaded', { skip }, async (t) => {
  const lines = await hazardLines(`
    require('node:tls')
    const { createServer, connect } = require('node:net')
    const server = createServer().listen(0, () => {
      const client = connect(server.address().port)
      server.once('connection', (accepted) => { say(told('tls-sessions').severity); client.destroy(); accepted.destroy(); server.close() })
    })`)
  t.same(lines, [['none']])
})

t.test('it never refuses', { skip }, async (t) => {
  const lines = await hazardLines(`${connected} const look = async () => say(...(await answers('tls-sessions')))`)
  t.same(lines, [answersFor('tls-sessions', 'notice')])
})
