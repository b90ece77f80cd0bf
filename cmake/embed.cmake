# Text files into a .cpp. As a script (cmake -DOUT=… -DNAME=… -DFILES=a|b -P embed.cmake) it writes `OUT`; included, it
# gives hm_embed(). The same files give the same bytes, whatever machine they lie on.
if(CMAKE_SCRIPT_MODE_FILE AND NAME)
  set(text "// Written by cmake/embed.cmake.\n#include \"base/embedded.hpp\"\n\nnamespace hm::embedded {\nextern const EmbeddedFile ${NAME}[];\nextern const std::size_t ${NAME}_count;\nconst EmbeddedFile ${NAME}[] = {\n")
  string(REPLACE "|" ";" files "${FILES}")
  set(count 0)
  foreach(file ${files})
    get_filename_component(name ${file} NAME)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${hex}")
    string(REGEX REPLACE "(................................................................)" "\\1\"\n     \"" bytes "${bytes}")
    string(LENGTH "${hex}" digits)
    math(EXPR size "${digits} / 2")
    string(APPEND text "    {\"${name}\", {\"${bytes}\", ${size}}},\n")
    math(EXPR count "${count} + 1")
  endforeach()
  string(APPEND text "};\nconst std::size_t ${NAME}_count = ${count};\n}  // namespace hm::embedded\n")
  file(WRITE ${OUT} "${text}")
  return()
endif()

# hm_embed(provenance origins FILES config/origins/curated.csv …): hm::embedded::origins[] and origins_count, part of the library hm_provenance.
function(hm_embed library name)
  cmake_parse_arguments(ARG "" "" "FILES" ${ARGN})
  list(TRANSFORM ARG_FILES PREPEND ${PROJECT_SOURCE_DIR}/)
  list(JOIN ARG_FILES "|" joined)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded_${name}.cpp)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DNAME=${name} "-DFILES=${joined}" -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${ARG_FILES} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  target_sources(hm_${library} PRIVATE ${out})
endfunction()
