// Marks a function that both the host and a GPU may call. Nothing to an ordinary compiler.
#pragma once

#ifdef __CUDACC__
#define KV_HOST_DEVICE __host__ __device__
#else
#define KV_HOST_DEVICE
#endif
