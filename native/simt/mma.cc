// ldmatrix and mma.sync, fragments as in "Matrix fragments for mma" of the PTX ISA: with g = lane / 4 and t = lane mod 4,
// a lane holds rows g and g + 8 of A and D, row g of Bᵀ, and the columns that belong to t.
//
// Products are exact; the sum over k is rounded to f32 in ascending order. Tensor cores sum in an order and a width of their
// own, so float results agree with a card's to rounding only; integer results are the same bits.
#include <cstring>
#include <type_traits>

#include "native/formats/half.h"
#include "native/simt/checker.h"
#include "native/simt/instructions.h"

namespace kvasir::simt {
namespace {

constexpr uint32_t kWarp = 0xFFFFFFFFu;

struct MmaIn {
  const uint32_t *a, *b;
};

float bf16(uint16_t bits) { return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16); }
float f16(uint16_t bits) { return f16_to_f32(bits); }
int s8(uint8_t bits) { return static_cast<int8_t>(bits); }
int u8(uint8_t bits) { return bits; }

// D[16, 8] += A[16, K] · Bᵀ[8, K], with K = a register's worth of columns over the four lanes of a row, in one or two halves.
template <typename Element, typename Sum, auto decode, int halves = 2, auto decode_a = decode>
void multiply(Meeting& meeting) {
  constexpr int kEach = 4 / sizeof(Element), kHalf = 4 * kEach;  // elements of a register; columns of a half of K
  using Held = std::conditional_t<std::is_same_v<Sum, int>, int16_t, Sum>;  // for the host's 16-bit dot products
  Held a[16][halves * kHalf], b[8][halves * kHalf];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& in = *static_cast<const MmaIn*>(meeting.in[lane]);
    const int g = lane / 4, column = lane % 4 * kEach;
    Element e[kEach];
    for (int half = 0; half < halves; ++half) {
      for (int low = 0; low < 2; ++low) {
        std::memcpy(e, &in.a[half * 2 + low], 4);
        for (int i = 0; i < kEach; ++i) a[g + low * 8][half * kHalf + column + i] = static_cast<Held>(decode_a(e[i]));
      }
      std::memcpy(e, &in.b[half], 4);
      for (int i = 0; i < kEach; ++i) b[g][half * kHalf + column + i] = static_cast<Held>(decode(e[i]));
    }
  }
  for (int lane = 0; lane < 32; ++lane) {
    auto* d = static_cast<Sum*>(meeting.out[lane]);
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      Sum sum = 0;
      for (int k = 0; k < halves * kHalf; ++k) sum += a[row][k] * b[column][k];
      d[i] += sum;
    }
  }
  ++Machine::now().counters.mma;
}

template <bool transposed>
void load_matrices(Meeting& meeting) {
  Machine& machine = Machine::now();
  for (int matrix = 0; matrix < 4; ++matrix)
    for (int row = 0; row < 8; ++row) {
      const int lane = matrix * 8 + row;
      const auto* from = machine.shared + *static_cast<const uint32_t*>(meeting.in[lane]);
      // The instruction's own address stands for its site in the lint: all ldmatrix of a warp in order.
      if (machine.checker && !machine.checker->access(from, 16, Access::read, *meeting.thread[lane],
                                                      reinterpret_cast<const void*>(&load_matrices<transposed>)))
        continue;
      for (int i = 0; i < 8; ++i) {
        const int to = transposed ? i * 4 + row / 2 : row * 4 + i / 2;
        auto* out = reinterpret_cast<unsigned char*>(static_cast<uint32_t*>(meeting.out[to]) + matrix);
        std::memcpy(out + (transposed ? row : i) % 2 * 2, from + i * 2, 2);
      }
    }
}

}  // namespace

void ldmatrix_x4(uint32_t* to, uint32_t row, bool transposed) {
  Machine::now().meet(kWarp, transposed ? load_matrices<true> : load_matrices<false>, &row, to);
}

void mma_bf16(float* d, const uint32_t* a, const uint32_t* b) {
  const MmaIn in{a, b};
  Machine::now().meet(kWarp, multiply<uint16_t, float, bf16>, &in, d);
}

void mma_f16(float* d, const uint32_t* a, const uint32_t* b) {
  const MmaIn in{a, b};
  Machine::now().meet(kWarp, multiply<uint16_t, float, f16>, &in, d);
}

void mma_s8(int32_t* d, const uint32_t* a, const uint32_t* b) {
  const MmaIn in{a, b};
  Machine::now().meet(kWarp, multiply<uint8_t, int, s8>, &in, d);
}

void mma_u8(int32_t* d, const uint32_t* a, const uint32_t* b) {
  const MmaIn in{a, b};
  Machine::now().meet(kWarp, multiply<uint8_t, int, s8, 2, u8>, &in, d);
}

void mma_s8_k16(int32_t* d, const uint32_t* a, uint32_t b) {
  const MmaIn in{a, &b};
  Machine::now().meet(kWarp, multiply<uint8_t, int, s8, 1>, &in, d);
}

}  // namespace kvasir::simt
