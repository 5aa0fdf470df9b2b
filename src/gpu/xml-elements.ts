/** Elements of an XML document by the path of their names. Pure. */
import { XmlElement, type XmlNode } from '@rgrove/parse-xml';

const isElement = (node: XmlNode): node is XmlElement => node instanceof XmlElement;

export const childrenOf = (element: XmlElement): XmlElement[] => element.children.filter(isElement);

export const children = (element: XmlElement, name: string): XmlElement[] => childrenOf(element).filter((child) => child.name === name);

export const at = (element: XmlElement, ...path: readonly string[]): XmlElement[] =>
  path.reduce<XmlElement[]>((found, name) => found.flatMap((one) => children(one, name)), [element]);

export const textAt = (element: XmlElement, ...path: readonly string[]): string | undefined => at(element, ...path)[0]?.text;
