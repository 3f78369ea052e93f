// convert(weight, dtype, rowBegin, rowEnd) → Promise<Uint8Array>: rows of a mapped weight, re-coded off the event loop.
#include <cmath>
#include <cstring>
#include <vector>

#include "native/binding/addon.h"
#include "native/formats/dequantize.h"
#include "native/formats/quantize.h"

namespace kvasir::binding {
namespace {

struct Job {
  std::shared_ptr<MappedFile> file;
  int64_t offset;
  Dtype from;
  Dtype to;
  int64_t cols;
  int64_t row_begin;
  int64_t row_end;
};

int64_t integer(Napi::Value value, const char* name) {
  KV_CHECK(value.IsNumber(), "KV_ARGUMENT", "convert: ", name, " is not a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  KV_CHECK(number >= 0 && number <= 0x1p53 && number == std::floor(number), "KV_ARGUMENT", "convert: ", name,
           " must be a whole number that is not negative, got ", number);
  return static_cast<int64_t>(number);
}

Dtype format(Napi::Value value, const char* name) {
  const int64_t code = integer(value, name);
  KV_CHECK(code <= static_cast<int64_t>(Dtype::q6_k), "KV_ARGUMENT", "convert: ", name, " ", code,
           " is no format of weights");
  return static_cast<Dtype>(code);
}

Job job_of(const Napi::CallbackInfo& info) {
  KV_CHECK(info[0].IsObject(), "KV_ARGUMENT", "convert: expected a weight");
  const auto weight = info[0].As<Napi::Object>();
  Job job{file_of(weight.Get("file")),
          integer(weight.Get("offset"), "offset"),
          format(weight.Get("dtype"), "dtype"),
          format(info[1], "the target format"),
          integer(weight.Get("cols"), "cols"),
          integer(info[2], "rowBegin"),
          integer(info[3], "rowEnd")};
  const int64_t rows = integer(weight.Get("rows"), "rows");
  KV_CHECK(job.row_begin <= job.row_end && job.row_end <= rows, "KV_ARGUMENT", "convert: rows ", job.row_begin, " to ",
           job.row_end, " of ", rows);
  for (const Dtype dtype : {job.from, job.to}) {
    KV_CHECK(job.cols > 0 && job.cols % block_of(dtype).values == 0, "KV_ARGUMENT", "convert: rows of ", job.cols,
             " values are not whole blocks of ", block_of(dtype).values);
  }
  // Divisions, so that no product of untrusted sizes can overflow.
  const auto size = static_cast<int64_t>(job.file->size());
  const int64_t blocks = job.cols / block_of(job.from).values;
  KV_CHECK(job.offset <= size && blocks <= size / block_of(job.from).bytes &&
               rows <= (size - job.offset) / row_bytes(job.from, job.cols),
           "KV_FORMAT", "convert: ", rows, " rows of ", job.cols, " values from byte ", job.offset,
           " reach past the end of a file of ", size, " bytes");
  return job;
}

std::vector<uint8_t> convert(const Job& job) {
  const int64_t from_bytes = row_bytes(job.from, job.cols);
  const int64_t to_bytes = row_bytes(job.to, job.cols);
  const uint8_t* source = job.file->data() + job.offset + job.row_begin * from_bytes;
  std::vector<uint8_t> result((job.row_end - job.row_begin) * to_bytes);
  if (job.from == job.to) {
    std::memcpy(result.data(), source, result.size());
    return result;
  }
  std::vector<float> values(job.cols);
  for (int64_t row = job.row_begin; row < job.row_end; ++row, source += from_bytes) {
    dequantize_row(job.from, source, values.data(), job.cols);
    if (is_quantised(job.to)) {
      for (int64_t i = 0; i < job.cols; ++i) {
        KV_CHECK(std::isfinite(values[i]), "KV_FORMAT", "convert: value ", i, " of row ", row, " is ", values[i],
                 ", which no quantised format can hold");
      }
    }
    quantize_row(job.to, values.data(), result.data() + (row - job.row_begin) * to_bytes, job.cols);
  }
  return result;
}

}  // namespace

void register_convert(Napi::Env env, Napi::Object exports) {
  exports.Set("convert", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
                return guarded(info.Env(), [&] {
                  return run_async<std::vector<uint8_t>>(
                      info.Env(), [job = job_of(info)] { return convert(job); },
                      [](Napi::Env env, std::vector<uint8_t>& bytes) -> Napi::Value {
                        auto array = Napi::Uint8Array::New(env, bytes.size());
                        std::memcpy(array.Data(), bytes.data(), bytes.size());
                        return array;
                      });
                });
              }));
}

}  // namespace kvasir::binding
