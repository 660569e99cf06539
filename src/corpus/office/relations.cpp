#include "corpus/office/relations.h"

#include "corpus/office/zip_parts.h"
#include <pugixml.hpp>

namespace plinth::corpus {

std::string_view folder_of(std::string_view part) {
  const size_t slash = part.rfind('/');
  return slash == part.npos ? std::string_view() : part.substr(0, slash);
}

std::string relations_part(std::string_view part) {
  const std::string_view folder = folder_of(part);
  const std::string_view name = folder.empty() ? part : part.substr(folder.size() + 1);
  return resolve_part(folder, std::string("_rels/") + std::string(name) + ".rels");
}

std::map<std::string, Relation> relations(const std::string& rels_xml, std::string_view folder) {
  std::map<std::string, Relation> out;
  pugi::xml_document doc;
  if (!doc.load_buffer(rels_xml.data(), rels_xml.size())) return out;
  for (const pugi::xml_node node : doc.child("Relationships").children("Relationship")) {
    if (std::string_view(node.attribute("TargetMode").as_string()) == "External") continue;
    const std::string_view type = node.attribute("Type").as_string();
    out[node.attribute("Id").as_string()] = {
        std::string(type.substr(type.rfind('/') + 1)),
        resolve_part(folder, node.attribute("Target").as_string())};
  }
  return out;
}

}  // namespace plinth::corpus
