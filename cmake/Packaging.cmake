# `cpack -G DEB` in the build folder makes plinth-VERSION-ARCHITECTURE.deb: the binary, the systemd unit, the documents.
include(GNUInstallDirs)
# Packages what is built; tests need not be.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
install(TARGETS plinth RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# Apart, since it brings MPI along: cmake --install build/release --component mpi
if(TARGET plinth_mpi)
  install(TARGETS plinth_mpi LIBRARY DESTINATION lib/plinth COMPONENT mpi EXCLUDE_FROM_ALL)
endif()
install(FILES packaging/plinth.service DESTINATION lib/systemd/system)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME plinth)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_CONTACT "The Plinth authors <plinth@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "self-hosted Model-as-a-Service: refine, tune, prove, serve")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Beside the libraries: certificates of hubs and moderators, encodings of Chinese PDFs.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates, poppler-data")
set(CPACK_DEBIAN_FILE_NAME plinth-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR}.deb)
set(CPACK_STRIP_FILES ON)
include(CPack)
