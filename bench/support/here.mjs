// A program that only says that it is there.
console.log('here')
