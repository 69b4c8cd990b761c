// <napi.h> as every file here has to see it.
#ifndef TRUEFORK_NAPI_API_H_
#define TRUEFORK_NAPI_API_H_

// A Worker that is being ended can't be thrown at; without this the whole process would end in an abort.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>

#endif  // TRUEFORK_NAPI_API_H_
